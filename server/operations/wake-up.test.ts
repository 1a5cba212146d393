import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import type { Operation, OperationRequest } from "./operation.ts";
import { operationCollection } from "./operation-store.ts";

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3303/1>';
const sleepy = (version: string): readonly string[] => ["lt=86400", `lwm2m=${version}`, ...(version === "1.0" ? ["b=UQ"] : ["b=U", "Q"])];
const untilAsleepMs = 94_000;
const changed: OutgoingResponse = { code: ResponseCode.changed };
const battery = "/3/0/9";
const maker = "/3/0/0";
const temperature = "/3303/0/5700";
const values = new Map<string, string | number>([
  [battery, 87],
  [maker, "ACME"],
  [temperature, 21.5],
  ["/3/0/1", "sensor"],
  ["/3/0/13", 1_700_000_000],
]);

let world: ServerWorld;
let device: ScriptedDevice;

/** Answers every Read of what it has, alone and in lists. */
function answerReads(): void {
  for (const [path, value] of values) device.answers.set(`GET ${path}`, senmlValue(path, value));
  device.answers.set("FETCH /", ({ payload }) => {
    const asked = JSON.parse(new TextDecoder().decode(payload)) as readonly { readonly n: string }[];
    const found = asked.filter(({ n }) => values.has(n));
    return content(JSON.stringify(found.map(({ n }) => ({ n, [typeof values.get(n) === "number" ? "v" : "vs"]: values.get(n) }))));
  });
}

async function open(version = "1.1"): Promise<void> {
  device = new ScriptedDevice(world, { query: sleepy(version), links });
  answerReads();
  await device.register();
  await world.clock.advance(untilAsleepMs);
}

beforeEach(async () => {
  world = await ServerWorld.open();
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const queue = async (...requests: readonly OperationRequest[]): Promise<readonly string[]> => {
  const ids: string[] = [];
  for (const request of requests) {
    const outcome = await world.create("dev-1", request);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    ids.push(outcome.operation._id);
  }
  return ids;
};
const stored = async (ids: readonly string[]): Promise<readonly Operation[]> => {
  const found = await Promise.all(ids.map((id) => world.until(world.server.operations.find(id))));
  return found.filter((operation) => operation !== undefined);
};
const wakeUp = async (forMs = 1_000): Promise<readonly string[]> => {
  device.asked.length = 0;
  await device.update();
  await world.clock.advance(forMs);
  return [...device.asked];
};
const read = (path: string): OperationRequest => ({ kind: "read", path });
const write = (path: string, value: string | number): OperationRequest => ({ kind: "write", path, value });
const ends = async (): Promise<readonly string[]> =>
  (await world.eventsOf("dev-1")).map(({ type }) => type).filter((type) => /^operation\.(succeeded|failed|expired|cancelled)$/.test(type));

describe("LwM2M Core 1.1 §6.3.8, §6.3.3: what waits for a device goes in few exchanges", () => {
  test("reads as one list, writes of an instance as one update, an Execute by itself; each has its own end", async () => {
    await open();
    device.answers.set("POST /3/0", changed);
    device.answers.set("POST /3/0/4", changed);
    const ids = await queue(read(battery), write("/3/0/14", "+02:00"), read(temperature), write("/3/0/15", "Europe/Paris"), read(battery), {
      kind: "execute",
      path: "/3/0/4",
    });
    const before = world.store.writes;
    assert.deepEqual(await wakeUp(), ["FETCH /", "POST /3/0", "POST /3/0/4"]);
    const operations = await stored(ids);
    assert.deepEqual(
      operations.map(({ status, coapCode, attempts }) => [status, coapCode, attempts.length]),
      [
        ["succeeded", "2.05", 1],
        ["succeeded", "2.04", 1],
        ["succeeded", "2.05", 1],
        ["succeeded", "2.04", 1],
        ["succeeded", "2.05", 1],
        ["succeeded", "2.04", 1],
      ],
    );
    assert.deepEqual(
      operations.map(({ attempts }) => attempts[0]?.sharedBy),
      [3, 2, 3, 2, 3, undefined],
    );
    assert.deepEqual(operations[0]?.result, {
      kind: "values",
      values: [{ path: battery, name: "device/0/batteryLevel", type: "integer", value: 87 }],
    });
    assert.equal(operations[0]?.attempts[0]?.token, operations[2]?.attempts[0]?.token);
    assert.notEqual(operations[0]?.attempts[0]?.token, operations[1]?.attempts[0]?.token);
    const twin = await world.until(world.server.twins.find("dev-1"));
    assert.deepEqual(
      [battery, temperature, "/3/0/14", "/3/0/15"].map((path) => twin?.values[path]?.value),
      [87, 21.5, "+02:00", "Europe/Paris"],
    );
    assert.deepEqual(await ends(), Array(6).fill("operation.succeeded"));
    assert.equal((await world.eventTypes("dev-1")).filter((type) => type === "operation.sent").length, 6);
    assert.ok(world.store.writes - before < 30, `${world.store.writes - before} writes`);
  });

  test("LwM2M Core 1.1 §6.3.9: writes of several instances as one Write-Composite", async () => {
    await open();
    device.answers.set("IPATCH /", changed);
    const ids = await queue(write("/3/0/14", "+02:00"), write("/1/0/3", 60));
    assert.deepEqual(await wakeUp(), ["IPATCH /"]);
    assert.deepEqual(
      (await stored(ids)).map(({ status }) => status),
      ["succeeded", "succeeded"],
    );
  });

  test("LwM2M 1.0: known siblings by a Read of their instance, writes of one instance as its update, nothing composite", async () => {
    await open("1.0");
    const instance = content(
      JSON.stringify([
        { bn: "/3303/1/", n: "5700", v: 3 },
        { n: "5701", vs: "Cel" },
        { n: "5603", v: -40 },
      ]),
    );
    device.answers.set("GET /3303/1", instance);
    device.answers.set("POST /3/0", changed);
    const ids = await queue(
      ...["5700", "5701", "5603", "5601", "5602"].map((id) => read(`/3303/1/${id}`)),
      write("/3/0/14", "+02:00"),
      write("/3/0/15", "UTC"),
    );
    assert.deepEqual(await wakeUp(), ["GET /3303/1", "GET /3303/1/5601", "GET /3303/1/5602", "POST /3/0"]);
    const operations = await stored(ids);
    assert.deepEqual(
      operations.map(({ status, coapCode }) => `${status} ${coapCode}`),
      [...Array(3).fill("succeeded 2.05"), "failed 4.04", "failed 4.04", ...Array(2).fill("succeeded 2.04")],
    );
    assert.deepEqual(operations[1]?.result?.kind === "values" ? operations[1].result.values.map(({ value }) => value) : [], ["Cel"]);
  });

  test("what the answer leaves out is asked by itself, and refused by itself", async () => {
    await open();
    device.answers.set("GET /3/0/2", { code: ResponseCode.methodNotAllowed });
    const ids = await queue(read(battery), read("/3/0/2"), read(temperature));
    assert.deepEqual(await wakeUp(), ["FETCH /", "GET /3/0/2"]);
    const [first, second, third] = await stored(ids);
    assert.deepEqual([first?.status, third?.status], ["succeeded", "succeeded"]);
    assert.deepEqual(
      [second?.status, second?.coapCode, second?.attempts.map(({ outcome }) => outcome)],
      ["failed", "4.05", ["2.05", "4.05"]],
    );
  });

  test("a value of the wrong type spoils its own Read only", async () => {
    await open();
    device.answers.set("FETCH /", content(`[{"n":"${battery}","vs":"full"},{"n":"${temperature}","v":20}]`));
    device.answers.set(`GET ${battery}`, senmlValue(battery, "full"));
    const ids = await queue(read(battery), read(temperature));
    await wakeUp();
    const [wrong, right] = await stored(ids);
    assert.deepEqual([wrong?.status, wrong?.reason], ["failed", "invalid-response"]);
    assert.deepEqual([right?.status, right?.detail], ["succeeded", null]);
  });
});

describe("a device that refuses several operations in one request", () => {
  for (const [name, code] of [
    ["4.05", ResponseCode.methodNotAllowed],
    ["4.00", ResponseCode.badRequest],
    ["4.04", ResponseCode.notFound],
    ["4.13", ResponseCode.requestEntityTooLarge],
    ["4.15", ResponseCode.unsupportedContentFormat],
    ["5.01", ResponseCode.notImplemented],
  ] as const) {
    test(`${name} to a list: each is read by itself, and so are later ones until it registers anew`, async () => {
      await open();
      device.answers.set("FETCH /", { code });
      const ids = await queue(read(battery), read(temperature));
      const asked = await wakeUp();
      assert.equal(asked[0], "FETCH /");
      assert.deepEqual(
        asked.filter((line) => line !== "FETCH /"),
        [`GET ${battery}`, `GET ${temperature}`],
      );
      for (const { status, attempts } of await stored(ids)) {
        assert.equal(status, "succeeded");
        assert.deepEqual([attempts[0]?.outcome, attempts.at(-1)?.outcome, attempts.at(-1)?.sharedBy], [name, "2.05", undefined]);
      }
      await world.clock.advance(untilAsleepMs);
      await queue(read(battery), read(maker));
      assert.deepEqual(await wakeUp(), [`GET ${battery}`, `GET ${maker}`]);
      answerReads();
      await device.register();
      await world.clock.advance(untilAsleepMs);
      await queue(read(battery), read(maker));
      assert.deepEqual(await wakeUp(), ["FETCH /"]);
    });
  }

  test("LwM2M Core 1.1 §6.3.9: all or nothing: the one at fault fails by itself, the others succeed, later ones go together again", async () => {
    await open();
    device.answers.set("IPATCH /", { code: ResponseCode.notFound });
    device.answers.set("PUT /3/0/14", changed);
    const ids = await queue(write("/3/0/14", "+02:00"), write("/1/0/3", 60));
    assert.deepEqual(await wakeUp(), ["IPATCH /", "PUT /3/0/14", "PUT /1/0/3"]);
    assert.deepEqual(
      (await stored(ids)).map(({ status, coapCode }) => `${status} ${coapCode}`),
      ["succeeded 2.04", "failed 4.04"],
    );
    device.answers.set("IPATCH /", changed);
    await world.clock.advance(untilAsleepMs);
    await queue(write("/3/0/14", "+03:00"), write("/1/0/2", 5));
    assert.deepEqual(await wakeUp(), ["IPATCH /"]);
  });

  test("no answer to several, twice: the third attempt of each is its own", async () => {
    await open();
    const ids = await queue(read(battery), read(temperature));
    for (let contact = 0; contact < 2; contact += 1) {
      await device.update();
      world.network.filter = () => false;
      await world.clock.advance(100_000);
      world.network.filter = () => true;
    }
    assert.deepEqual(
      (await stored(ids)).map(({ status, attempts }) => [status, attempts.map(({ outcome }) => outcome)]),
      Array(2).fill(["queued", ["no-answer", "no-answer"]]),
    );
    assert.deepEqual(await wakeUp(), [`GET ${battery}`, `GET ${temperature}`]);
    assert.deepEqual(
      (await stored(ids)).map(({ status }) => status),
      ["succeeded", "succeeded"],
    );
  });
});

describe("order", () => {
  test("the higher priority first, but never before what it touches", async () => {
    await open("1.0");
    device.answers.set("PUT /3/0/14", changed);
    const ids = await queue(
      read(temperature),
      { ...write("/3/0/14", "UTC"), priority: 1 },
      { ...read(maker), priority: 9 },
      {
        ...read("/3/0/14"),
        priority: 8,
      },
    );
    assert.deepEqual(await wakeUp(), [`GET ${maker}`, "PUT /3/0/14", "GET /3/0/14", `GET ${temperature}`]);
    assert.deepEqual(
      (await stored(ids)).map(({ priority }) => priority),
      [5, 1, 9, 8],
    );
  });

  test("an operation that a crash left beside the newer one with its key is cancelled, with a word", async () => {
    await open();
    device.answers.set("PUT /3/0/14", changed);
    const keyed = (value: string): OperationRequest => ({ ...write("/3/0/14", value), supersedeKey: "zone" });
    const [older] = await queue(keyed("+01:00"));
    const [before] = await stored([older ?? ""]);
    assert.ok(before);
    // As if the process had died between the two writes: the newer one is stored, the older one not yet cancelled.
    const { _id, outbox: _, ...rest } = before;
    const newer = world.server.operations.newId();
    const operations = world.store.collection<Operation>(operationCollection);
    await world.until(operations.insertOne({ ...rest, _id: newer, value: "+02:00", outbox: [], hasOutbox: false }));
    assert.deepEqual(await wakeUp(), ["PUT /3/0/14"]);
    const [cancelled, sent] = await stored([_id, newer]);
    assert.deepEqual([cancelled?.status, cancelled?.detail], ["cancelled", `superseded by operation ${newer}`]);
    assert.equal(sent?.status, "succeeded");
  });
});

describe("LwM2M Core 1.1 §6.5: within the window", () => {
  test("bytes of a wake-up: what is beyond waits for the next", async () => {
    await open("1.0");
    await world.until(world.server.links.set("dev-1", { profile: "default", wakeUpBytes: 100 }));
    await queue(read(battery), read(temperature), read(maker), read("/3/0/1"));
    for (const line of [`GET ${battery}`, `GET ${temperature}`, `GET ${maker}`, "GET /3/0/1"]) {
      await wakeUp();
      await world.clock.advance(untilAsleepMs);
      assert.deepEqual(device.asked, [line]);
    }
  });

  test("a device that keeps itself awake is let have more a window after the last exchange", async () => {
    await open("1.0");
    await world.until(world.server.links.set("dev-1", { profile: "default", wakeUpBytes: 64 }));
    await queue(read(battery), read(temperature), read(maker));
    const heard = await wakeUp();
    assert.equal(heard.length, 1);
    for (let passed = 0; passed < 8; passed += 1) {
      await device.update();
      await world.clock.advance(40_000);
    }
    assert.deepEqual([...device.asked], [`GET ${battery}`, `GET ${temperature}`, `GET ${maker}`]);
  });

  test("RFC 7252 §5.9.3.4: one that says later and sleeps is not asked in between, but at its next contact", async () => {
    await open();
    let asked = 0;
    device.answers.set(`GET ${battery}`, () =>
      ++asked === 1 ? { code: ResponseCode.serviceUnavailable, maxAgeSeconds: 120 } : senmlValue(battery, 87),
    );
    const ids = await queue(read(battery));
    await wakeUp();
    await world.clock.advance(300_000);
    assert.deepEqual([asked, (await stored(ids))[0]?.status], [1, "queued"]);
    await wakeUp();
    assert.deepEqual([asked, (await stored(ids))[0]?.status], [2, "succeeded"]);
  });

  test("a device that is awake: one goes at once, what waits meanwhile goes together", async () => {
    device = new ScriptedDevice(world, { links });
    answerReads();
    await device.register();
    const startedAt = world.clock.now();
    const single = await world.carryOut("dev-1", read(battery));
    assert.equal(single.status, "succeeded");
    assert.ok((single.sentAt ?? 0) - startedAt < 5, "no time is spent on gathering");
    device.asked.length = 0;
    const ids = await Promise.all([battery, temperature, maker].map((path) => queue(read(path)))).then((all) => all.flat());
    await world.clock.advance(1_000);
    assert.deepEqual(device.asked.filter((line) => line !== "FETCH /").length <= 1, true, device.asked.join());
    assert.ok(device.asked.includes("FETCH /"));
    assert.deepEqual(
      (await stored(ids)).map(({ status }) => status),
      Array(3).fill("succeeded"),
    );
  });
});
