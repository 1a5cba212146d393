import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { content, senmlValue } from "../testing/scripted-device.ts";
import type { Operation, OperationRequest } from "./operation.ts";
import { operationCollection } from "./operation-store.ts";
import { battery, changed, maker, read, sleeper, temperature, untilAsleepMs, write } from "./wake-up-fixture.ts";

const { one, answerReads, open, queue, stored, wakeUp } = sleeper();

const ends = async (): Promise<readonly string[]> =>
  (await one.world.eventsOf("dev-1"))
    .map(({ type }) => type)
    .filter((type) => /^operation\.(succeeded|failed|expired|cancelled)$/.test(type));

describe("LwM2M Core 1.1 §6.3.8, §6.3.3: what waits for a device goes in few exchanges", () => {
  test("reads as one list, writes of an instance as one update, an Execute by itself; each has its own end", async () => {
    await open();
    one.device.answers.set("POST /3/0", changed);
    one.device.answers.set("POST /3/0/4", changed);
    const ids = await queue(read(battery), write("/3/0/14", "+02:00"), read(temperature), write("/3/0/15", "Europe/Paris"), read(battery), {
      kind: "execute",
      path: "/3/0/4",
    });
    const before = one.world.store.writes;
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
    const twin = await one.world.until(one.world.server.twins.find("dev-1"));
    assert.deepEqual(
      [battery, temperature, "/3/0/14", "/3/0/15"].map((path) => twin?.values[path]?.value),
      [87, 21.5, "+02:00", "Europe/Paris"],
    );
    assert.deepEqual(await ends(), Array(6).fill("operation.succeeded"));
    assert.equal((await one.world.eventTypes("dev-1")).filter((type) => type === "operation.sent").length, 6);
    assert.ok(one.world.store.writes - before < 30, `${one.world.store.writes - before} writes`);
  });

  test("LwM2M Core 1.1 §6.3.9: writes of several instances as one Write-Composite", async () => {
    await open();
    one.device.answers.set("IPATCH /", changed);
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
    one.device.answers.set("GET /3303/1", instance);
    one.device.answers.set("POST /3/0", changed);
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
    one.device.answers.set("GET /3/0/2", { code: ResponseCode.methodNotAllowed });
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
    one.device.answers.set("FETCH /", content(`[{"n":"${battery}","vs":"full"},{"n":"${temperature}","v":20}]`));
    one.device.answers.set(`GET ${battery}`, senmlValue(battery, "full"));
    const ids = await queue(read(battery), read(temperature));
    await wakeUp();
    const [wrong, right] = await stored(ids);
    assert.deepEqual([wrong?.status, wrong?.reason], ["failed", "invalid-response"]);
    assert.deepEqual([right?.status, right?.detail], ["succeeded", null]);
  });
});

describe("order", () => {
  test("the higher priority first, but never before what it touches", async () => {
    await open("1.0");
    one.device.answers.set("PUT /3/0/14", changed);
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
    one.device.answers.set("PUT /3/0/14", changed);
    const keyed = (value: string): OperationRequest => ({ ...write("/3/0/14", value), supersedeKey: "zone" });
    const [older] = await queue(keyed("+01:00"));
    const [before] = await stored([older ?? ""]);
    assert.ok(before);
    // As if the process had died between the two writes: the newer one is stored, the older one not yet cancelled.
    const { _id, outbox: _, ...rest } = before;
    const newer = one.world.server.operations.newId();
    const operations = one.world.store.collection<Operation>(operationCollection);
    await one.world.until(operations.insertOne({ ...rest, _id: newer, value: "+02:00", outbox: [], hasOutbox: false }));
    assert.deepEqual(await wakeUp(), ["PUT /3/0/14"]);
    const [cancelled, sent] = await stored([_id, newer]);
    assert.deepEqual([cancelled?.status, cancelled?.detail], ["cancelled", `superseded by operation ${newer}`]);
    assert.equal(sent?.status, "succeeded");
  });
});

describe("LwM2M Core 1.1 §6.5: within the window", () => {
  test("bytes of a wake-up: what is beyond waits for the next", async () => {
    await open("1.0");
    await one.world.until(one.world.server.links.set("dev-1", { profile: "default", wakeUpBytes: 100 }));
    await queue(read(battery), read(temperature), read(maker), read("/3/0/1"));
    for (const line of [`GET ${battery}`, `GET ${temperature}`, `GET ${maker}`, "GET /3/0/1"]) {
      await wakeUp();
      await one.world.clock.advance(untilAsleepMs);
      assert.deepEqual(one.device.asked, [line]);
    }
  });

  test("a device that keeps itself awake is let have more a window after the last exchange", async () => {
    await open("1.0");
    await one.world.until(one.world.server.links.set("dev-1", { profile: "default", wakeUpBytes: 64 }));
    await queue(read(battery), read(temperature), read(maker));
    const heard = await wakeUp();
    assert.equal(heard.length, 1);
    for (let passed = 0; passed < 8; passed += 1) {
      await one.device.update();
      await one.world.clock.advance(40_000);
    }
    assert.deepEqual([...one.device.asked], [`GET ${battery}`, `GET ${temperature}`, `GET ${maker}`]);
  });

  test("RFC 7252 §5.9.3.4: one that says later and sleeps is not asked in between, but at its next contact", async () => {
    await open();
    let asked = 0;
    one.device.answers.set(`GET ${battery}`, () =>
      ++asked === 1 ? { code: ResponseCode.serviceUnavailable, maxAgeSeconds: 120 } : senmlValue(battery, 87),
    );
    const ids = await queue(read(battery));
    await wakeUp();
    await one.world.clock.advance(300_000);
    assert.deepEqual([asked, (await stored(ids))[0]?.status], [1, "queued"]);
    await wakeUp();
    assert.deepEqual([asked, (await stored(ids))[0]?.status], [2, "succeeded"]);
  });

  test("a device that is awake: one goes at once, what waits meanwhile goes together", async () => {
    answerReads();
    await one.device.register({ query: ["lt=300", "lwm2m=1.1", "b=U"] });
    const startedAt = one.world.clock.now();
    const single = await one.world.carryOut("dev-1", read(battery));
    assert.equal(single.status, "succeeded");
    assert.ok((single.sentAt ?? 0) - startedAt < 5, "no time is spent on gathering");
    one.device.asked.length = 0;
    const ids = await Promise.all([battery, temperature, maker].map((path) => queue(read(path)))).then((all) => all.flat());
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.asked.filter((line) => line !== "FETCH /").length <= 1, true, one.device.asked.join());
    assert.ok(one.device.asked.includes("FETCH /"));
    assert.deepEqual(
      (await stored(ids)).map(({ status }) => status),
      Array(3).fill("succeeded"),
    );
  });
});
