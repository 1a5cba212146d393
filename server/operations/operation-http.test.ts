import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import { oneDevice } from "../testing/one-device.ts";
import { at } from "../testing/rest.ts";
import { senmlValue } from "../testing/scripted-device.ts";

const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
const operations = "/devices/dev-1/operations";

const one = oneDevice();

async function asleep(): Promise<void> {
  await one.device.register({ query: sleepy });
  await one.world.clock.advance(94_000);
}

const inSeconds = (seconds: number): string => formatInstant(one.world.clock.now() + seconds * 1_000);

describe("a request that means something else than it says is refused with its pointer", () => {
  const foreign: readonly (readonly [string, { readonly [field: string]: string | number | boolean | object }])[] = [
    ["/value", { kind: "read", path: "/3/0/9", value: 5 }],
    ["/mode", { kind: "create", path: "/3303", value: {}, mode: "update" }],
    ["/instanceId", { kind: "write", path: "/3/0/15", value: "x", instanceId: 1 }],
    ["/retryExecute", { kind: "read", path: "/3/0/9", retryExecute: true }],
    ["/arguments", { kind: "observe", path: "/3/0/9", arguments: "1" }],
    ["/attributes", { kind: "discover", path: "/3/0", attributes: { pmin: 1 } }],
  ];
  for (const [pointer, body] of foreign) {
    test(`${body["kind"]} with ${pointer}`, async () => {
      await one.device.register();
      const { status, body: problem } = await one.rest("POST", operations, { body: body as { readonly [field: string]: string } });
      assert.deepEqual([status, at(problem, "errors", 0, "pointer")], ["bad-request", pointer]);
      assert.deepEqual(one.device.asked, []);
    });
  }

  test("expiresAt in the past, or before notBefore", async () => {
    await one.device.register();
    const body = { kind: "read", path: "/3/0/9" };
    for (const times of [{ expiresAt: inSeconds(0) }, { expiresAt: inSeconds(50), notBefore: inSeconds(50) }]) {
      const { status, body: problem } = await one.rest("POST", operations, { body: { ...body, ...times } });
      assert.deepEqual([status, at(problem, "errors", 0, "pointer")], ["bad-request", "/expiresAt"], JSON.stringify(times));
    }
    const good = await one.rest("POST", operations, { body: { ...body, notBefore: inSeconds(49), expiresAt: inSeconds(50) }, waitMs: 0 });
    assert.equal(good.status, 202);
  });

  test("without expiresAt it waits as long as any, counted from notBefore, however late that is", async () => {
    await one.device.register();
    const late = { kind: "read", path: "/3/0/9", notBefore: inSeconds(30 * 86_400) };
    const { status, body: made } = await one.rest("POST", operations, { body: late, waitMs: 0 });
    assert.deepEqual([status, at(made, "expiresAt")], [202, inSeconds(37 * 86_400)]);
  });
});

test("a retry is not sent earlier than what it repeats was to be; what cannot be taken back says why", async () => {
  await one.device.register();
  one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  const wanted = { kind: "read", path: "/3/0/9", notBefore: inSeconds(3_600) };
  const { body: first } = await one.rest("POST", operations, { body: wanted, waitMs: 0 });
  await one.rest("POST", `/operations/${at(first, "id")}:cancel`);
  const { body: again } = await one.rest("POST", `/operations/${at(first, "id")}:retry`, { waitMs: 0 });
  assert.deepEqual([at(again, "notBefore"), at(again, "waitingFor", "code")], [wanted.notBefore, "not-before"]);
  const twice = await one.rest("POST", `/operations/${at(first, "id")}:cancel`);
  assert.equal(twice.status, "conflict");
  assert.match(String(at(twice.body, "detail")), /cannot be taken back: it is cancelled$/);
});

test("a create without a value makes an empty instance", async () => {
  await one.device.register();
  one.device.answers.set("POST /3303", { code: 0x41, locationPath: ["3303", "4"] });
  const { body } = await one.rest("POST", operations, { body: { kind: "create", path: "/3303" } });
  assert.deepEqual([at(body, "status"), at(body, "result", "path")], ["succeeded", "/3303/4"]);
});

describe("RFC 9110 §10.2.3: Retry-After of a 202", () => {
  const retryAfter = async (more: object = {}): Promise<string | undefined> =>
    (await one.rest("POST", operations, { body: { kind: "read", path: "/3/0/9", ...more }, waitMs: 0 })).headers["Retry-After"];

  test("awake: a second; not before a time: until then", async () => {
    await one.device.register();
    assert.equal(await retryAfter(), "1");
    assert.equal(await retryAfter({ notBefore: inSeconds(300) }), "300");
  });

  test("asleep: until the next contact; a device that is overdue or gone: a minute", async () => {
    await one.device.register({ query: ["lt=600", "lwm2m=1.1", "b=U", "Q"] });
    await one.world.clock.advance(200_000);
    assert.equal(await retryAfter(), "400");
    await one.device.deregister();
    assert.equal(await retryAfter(), "60");
  });
});

describe("Idempotency-Key", () => {
  test("the same request in another order of members is the same request", async () => {
    await asleep();
    const first = await one.rest("POST", operations, { body: { kind: "write", path: "/3/0/15", value: "UTC" }, key: "k" });
    const second = await one.rest("POST", operations, { body: { value: "UTC", path: "device/0/timezone", kind: "write" }, key: "k" });
    assert.deepEqual([first.status, second.status, at(second.body, "id")], [202, 202, at(first.body, "id")]);
  });

  test("five at once make one operation", async () => {
    await asleep();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => one.rest("POST", operations, { body: { kind: "read", path: "/3/0/9" }, key: "k", waitMs: 0 })),
    );
    assert.equal(new Set(answers.map(({ body }) => at(body, "id"))).size, 1);
    assert.equal(at((await one.rest("GET", "/devices/dev-1/queue")).body, "items", 1), undefined);
  });

  test("a repetition after its expiresAt finds the operation it made", async () => {
    await asleep();
    const body = { kind: "read", path: "/3/0/9", expiresAt: inSeconds(60) };
    const first = await one.rest("POST", operations, { body, key: "k" });
    await one.world.clock.advance(120_000);
    const late = await one.rest("POST", operations, { body, key: "k" });
    assert.deepEqual([late.status, at(late.body, "id"), at(late.body, "status")], [200, at(first.body, "id"), "expired"]);
  });
});

test("the operations of one device; a cursor that is none is refused", async () => {
  await asleep();
  await one.rest("POST", operations, { body: { kind: "read", path: "/3/0/9" } });
  const { body } = await one.rest("GET", `${operations}?open=true`);
  assert.deepEqual([at(body, "items", 0, "path"), at(body, "items", 1)], ["/3/0/9", undefined]);
  assert.equal((await one.rest("GET", "/devices/nobody/operations")).status, "device-unknown");
  assert.equal((await one.rest("GET", "/operations?after=garbage")).status, "bad-request");
});

test("an observation by its id: shown, ended once", async () => {
  await one.device.register();
  one.device.answers.set("GET /3303/0/5700", senmlValue("/3303/0/5700", 20));
  await one.rest("PUT", "/devices/dev-1/resources/3303/0/5700/observation");
  const address = `/observations/${encodeURIComponent("/3303/0/5700@dev-1")}`;
  assert.equal(at((await one.rest("GET", address)).body, "state"), "active");
  const ended = await one.rest("DELETE", address);
  assert.deepEqual([ended.status, at(ended.body, "kind"), at(ended.body, "status")], [200, "cancelObserve", "succeeded"]);
  assert.equal(at((await one.rest("GET", address)).body, "state"), "ended");
  assert.equal((await one.rest("DELETE", address)).status, "conflict");
  for (const id of ["none", "%2F3%2F0@nobody"]) assert.equal((await one.rest("GET", `/observations/${id}`)).status, "not-found");
});

test("a history belongs to one value, and its time runs forward", async () => {
  await one.device.register();
  const history = async (query: string) => (await one.rest("GET", `/devices/dev-1/history?${query}`)).status;
  assert.equal(await history("path=/3/0"), "bad-request");
  assert.equal(await history("path=/3/0/9"), 200);
  assert.equal(await history("path=/3/0/9&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z"), "bad-request");
});
