import assert from "node:assert/strict";
import { test } from "node:test";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { at } from "../testing/rest.ts";
import { restFleet } from "../testing/rest-fleet.ts";
import { content, type ScriptedDevice } from "../testing/scripted-device.ts";

const fleet = restFleet();
const { rest } = fleet;

async function register(endpoint: string, query: readonly string[] = ["lt=86400", "lwm2m=1.1", "b=U"]): Promise<ScriptedDevice> {
  const device = await fleet.register(endpoint, query);
  // Until the event of it is followed.
  await fleet.world.clock.advance(100);
  return device;
}

async function create(body: Json): Promise<string> {
  const created = await rest("POST", "/groups", { body });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const id = String(at(created.body, "id"));
  assert.equal(created.headers["Location"], `/api/v1/groups/${id}`);
  return id;
}

async function members(id: string, limit = 1_000): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after = ""; ; ) {
    const page = await rest("GET", `/groups/${id}/members?limit=${limit}&after=${encodeURIComponent(after)}`);
    const items = at(page.body, "items") as readonly string[];
    found.push(...items);
    const next = at(page.body, "next");
    if (typeof next !== "string") return found;
    assert.equal(items.length, limit, "only the last page is shorter");
    after = next;
  }
}

test("a static group: members are listed in order, join and leave; unknown devices and twice the same name are refused", async () => {
  for (const endpoint of ["b", "a", "c"]) await register(endpoint);
  const id = await create({ name: "pumps", members: ["c", "a"] });
  assert.deepEqual(await members(id), ["a", "c"]);
  assert.equal((await rest("PATCH", `/groups/${id}`, { body: { add: ["b"], remove: ["c"] } })).status, 200);
  assert.deepEqual(await members(id, 1), ["a", "b"]);
  assert.equal((await rest("PATCH", `/groups/${id}`, { body: { query: {} } })).status, "conflict");
  assert.equal((await rest("POST", "/groups", { body: { name: "pumps", query: {} } })).status, "conflict");
  const unknown = await rest("PATCH", `/groups/${id}`, { body: { add: ["a", "nobody"] } });
  assert.deepEqual([unknown.status, at(unknown.body, "errors", 0, "pointer")], ["device-unknown", "/add/1"]);
  assert.equal((await rest("DELETE", "/devices/a")).status, 204);
  assert.deepEqual(await members(id), ["b"], "deleted devices leave");
  assert.equal((await rest("DELETE", `/groups/${id}`)).status, 204);
  assert.equal((await rest("GET", `/groups/${id}`)).status, "not-found");
  assert.equal((await rest("GET", `/groups/${id}/members`)).status, "not-found");
});

test("bodies are checked: no fields but the declared ones, not members and query together", async () => {
  for (const body of [
    { name: "x", query: { colour: "red" } },
    { name: "x", query: {}, members: [] },
    { query: {} },
    { name: "", query: {} },
    { name: "x", query: { tags: ["with space"] } },
    { name: "x", query: { lwm2mVersion: "2" } },
  ])
    assert.equal((await rest("POST", "/groups", { body })).status, "bad-request", JSON.stringify(body));
});

test("a query group: computed from registration, last values and tags; complete in pages of any size", async () => {
  for (let i = 0; i < 12; i += 1) {
    const version = i % 3 === 0 ? "1.0" : "1.1";
    await register(
      `${i % 2 === 0 ? "meter" : "valve"}-${i}`,
      ["lt=86400", `lwm2m=${version}`, i % 4 === 0 ? "b=UQ" : "b=U"].slice(0, version === "1.0" ? 3 : 2),
    );
  }
  const names = fleet.devices.map(({ endpoint }) => endpoint);
  const everybody = await create({ name: "all", query: {} });
  assert.deepEqual(await members(everybody, 5), names.toSorted());
  const meters = await create({ name: "meters", query: { endpointPrefix: "meter-", lwm2mVersion: "1.1" } });
  const expected = names.filter((_, i) => i % 2 === 0 && i % 3 !== 0).toSorted();
  for (const limit of [1, 2, 3, 4, 100]) assert.deepEqual(await members(meters, limit), expected, `pages of ${limit}`);
  const sleepy = await create({ name: "sleepy", query: { queueMode: true } });
  assert.deepEqual(await members(sleepy), ["meter-0"], "UQ is of 1.0");
});

test("tags: at most eight, replaced as a whole, shown, asked for together; a change moves the device", async () => {
  for (const endpoint of ["a", "b", "c"]) await register(endpoint);
  const tag = (endpoint: string, tags: readonly string[]) => rest("PATCH", `/devices/${endpoint}`, { body: { tags } });
  assert.equal((await tag("a", ["north", "line=7"])).status, 200);
  assert.equal((await tag("b", ["x1", "x2", "x3", "x4", "x5", "x6", "x7", "north"])).status, 200);
  assert.equal((await tag("nobody", [])).status, "device-unknown");
  assert.equal((await tag("a", ["1", "2", "3", "4", "5", "6", "7", "8", "9"])).status, "bad-request");
  assert.deepEqual(at((await rest("GET", "/devices/a")).body, "tags"), ["north", "line=7"]);
  const north = await create({ name: "north", query: { tags: ["north"] } });
  const line = await create({ name: "line", query: { tags: ["north", "line=7"] } });
  assert.deepEqual([await members(north), await members(line)], [["a", "b"], ["a"]]);
  await tag("a", ["line=7"]);
  await tag("c", ["north"]);
  assert.deepEqual([await members(north), await members(line)], [["b", "c"], []]);
  await rest("DELETE", "/devices/b");
  assert.deepEqual(await members(north), ["c"]);
  await register("b");
  assert.deepEqual(await members(north), ["c"], "a device that registers again is a new one");
});

test("what a device says later moves it: another version at its next registration, its manufacturer once read", async () => {
  const device = await register("a");
  const id = await create({ name: "acme", query: { manufacturer: "ACME", lwm2mVersion: "1.2" } });
  assert.deepEqual(await members(id), []);
  device.answers.set("GET /3/0/0", content('[{"n":"/3/0/0","vs":"ACME"}]'));
  await fleet.world.carryOut("a", { kind: "read", path: "/3/0/0" });
  await device.register({ query: ["lt=86400", "lwm2m=1.2", "b=U"] });
  await fleet.world.clock.advance(100);
  assert.deepEqual(await members(id), ["a"]);
});

test("kept over kills: what happened after the last place in the event log is looked at again; devices of an earlier version are in", async () => {
  await register("before");
  const id = await create({ name: "all 1.1", query: { lwm2mVersion: "1.1" } });
  assert.deepEqual(await members(id), ["before"]);
  await register("after");
  await fleet.world.kill();
  await fleet.world.start();
  assert.deepEqual(await members(id), ["after", "before"]);
  await fleet.world.stop();
  await fleet.world.start();
  await register("later");
  assert.deepEqual(await members(id), ["after", "before", "later"]);
});

test("RSQL: a query group by a filter; whoever comes to fit is a member, a filter that is none is refused with its place", async () => {
  for (const [endpoint, query] of Object.entries({
    "a-1": ["lt=60", "lwm2m=1.1", "b=U", "Q"],
    "a-2": ["lt=600", "lwm2m=1.1", "b=U"],
    "b-1": ["lt=6000", "lwm2m=1.0", "b=U"],
  })) {
    await register(endpoint, query);
  }
  await rest("PATCH", "/devices/a-2", { body: { tags: ["north", "old"] } });
  const membersOf = async (q: string, more: { readonly [name: string]: Json } = {}) =>
    members(await create({ name: q, query: { q, ...more } }), 2);
  assert.deepEqual(await membersOf("endpoint==a-*"), ["a-1", "a-2"]);
  assert.deepEqual(await membersOf("lifetimeSeconds>=600"), ["a-2", "b-1"]);
  assert.deepEqual(await membersOf("lifetimeSeconds<600,lwm2mVersion==1.0"), ["a-1", "b-1"]);
  assert.deepEqual(await membersOf("(queueMode==true,tags==old);endpoint=out=(a-1)"), ["a-2"]);
  assert.deepEqual(await membersOf("tags!=north"), ["a-1", "b-1"]);
  assert.deepEqual(await membersOf("manufacturer==*"), []);
  assert.deepEqual(await membersOf("queueMode==false", { lwm2mVersion: "1.1" }), ["a-2"], "with the other members of the query");
  const id = await create({ name: "long", query: { q: "lifetimeSeconds>100" } });
  await fleet.devices[0]?.update(["lt=700"]);
  await fleet.world.clock.advance(100);
  assert.deepEqual(await members(id), ["a-1", "a-2", "b-1"]);
  const refused = await rest("POST", "/groups", { body: { name: "x", query: { q: "lifetimeSeconds>100;colour==red" } } });
  assert.deepEqual([refused.status, at(refused.body, "errors", 0, "pointer")], ["bad-request", "/query/q"]);
  assert.match(String(at(refused.body, "detail")), /^\/query\/q: position 21, colour: there is no field "colour"/);
  assert.equal((await rest("PATCH", `/groups/${id}`, { body: { query: { q: "lastSeenAt>2026-01-01T00:00:00Z" } } })).status, "bad-request");
  assert.equal((await rest("PATCH", `/groups/${id}`, { body: { query: { q: "endpoint==b-1" } } })).status, 200);
  assert.deepEqual(await members(id), ["b-1"]);
});

test("RSQL: GET /devices?q=, by what is registered, tagged, and by the entry; in pages", async () => {
  for (const endpoint of ["a", "b", "c"]) await register(endpoint, ["lt=60", "lwm2m=1.1", "b=U", ...(endpoint === "b" ? ["Q"] : [])]);
  await rest("POST", "/devices", { body: { endpoint: "expected" } });
  await fleet.world.clock.advance(60_000);
  await register("late");
  const found = async (q: string, limit = 100): Promise<readonly (string | undefined)[]> => {
    const names: string[] = [];
    for (let after = ""; ; ) {
      const page = await rest("GET", `/devices?q=${encodeURIComponent(q)}&limit=${limit}&after=${after}`);
      assert.equal(page.status, 200, JSON.stringify(page.body));
      const items = at(page.body, "items");
      assert.ok(Array.isArray(items));
      names.push(...items.map((item: Json) => String(at(item, "endpoint"))));
      const next = at(page.body, "next");
      if (typeof next !== "string") return names;
      after = next;
    }
  };
  assert.deepEqual(await found("queueMode==true"), ["b"]);
  assert.deepEqual(await found("lwm2mVersion==1.1", 2), ["a", "b", "c", "late"]);
  assert.deepEqual(await found("lwm2mVersion!=1.1"), ["expected"], "of one that never registered it is not known");
  const instant = formatInstant(fleet.world.clock.now() - 30_000);
  assert.deepEqual(await found(`createdAt>${instant}`), ["late"]);
  assert.deepEqual(await found(`lastSeenAt<${instant};queueMode==false`, 1), ["a", "c"]);
  assert.deepEqual(await found(`lastSeenAt<${instant},lastSeenAt>=${instant}`), ["a", "b", "c", "late"], "never seen is neither");
  assert.deepEqual(await found("state==quarantined"), []);
  const [first] = (at((await rest("GET", "/devices?q=endpoint==late")).body, "items") ?? []) as readonly Json[];
  assert.equal(at(first ?? null, "waitingFor", "code"), "nothing", "as the list shows them");
  const refused = await rest("GET", "/devices?q=lwm2mVersion%3E1.0");
  assert.deepEqual([refused.status, at(refused.body, "errors", 0, "pointer")], ["bad-request", "/q"]);
  assert.match(String(at(refused.body, "detail")), /^q: position 13, lwm2mVersion: lwm2mVersion is no number/);
});
