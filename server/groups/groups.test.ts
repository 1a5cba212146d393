import assert from "node:assert/strict";
import { test } from "node:test";
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
