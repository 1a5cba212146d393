import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { senmlValue } from "../testing/scripted-device.ts";
import { changed, operationsOfOne, sleepy, text, untilAsleepMs } from "./operations-fixture.ts";

const { one, stored, queued, refusal } = operationsOfOne();

/** Longer than a request is repeated for. */
const untilGivenUpMs = 100_000;

describe("LwM2M Core 1.1 §6.5: a device that sleeps", () => {
  beforeEach(async () => {
    one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    one.device.answers.set("POST /3/0/4", changed);
    one.device.answers.set("PUT /3/0/15", changed);
    await one.device.register({ query: sleepy });
    await one.world.clock.advance(untilAsleepMs);
  });

  test("operations wait, and leave in order after the Update was answered", async () => {
    const first = await queued({ kind: "write", path: "/3/0/15", value: "Europe/Paris" });
    const second = await queued({ kind: "read", path: "/3/0/9" });
    await one.world.clock.advance(600_000);
    assert.deepEqual(one.device.asked, []);
    assert.equal((await stored(first._id)).status, "queued");
    const answered = await one.device.update();
    assert.equal(answered.code, ResponseCode.changed);
    assert.deepEqual(one.device.asked, [], "the reply comes first");
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.asked, ["PUT /3/0/15", "GET /3/0/9"]);
    assert.equal((await stored(second._id)).status, "succeeded");
  });

  test("kill -9 while they wait: nothing is lost, nothing sent twice", async () => {
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const execute = await queued({ kind: "execute", path: "/3/0/4" });
    await one.world.kill();
    await one.world.start();
    await one.device.update();
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.asked, ["GET /3/0/9", "POST /3/0/4"]);
    assert.equal((await stored(read._id)).status, "succeeded");
    assert.equal((await stored(execute._id)).status, "succeeded");
    const finished = (await one.world.eventTypes("dev-1")).filter((type) => type === "operation.succeeded");
    assert.equal(finished.length, 2);
  });

  test("no answer: asleep at once, the rest waits; the same operation goes first at the next contact", async () => {
    await one.device.update();
    one.world.network.filter = () => false;
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const write = await queued({ kind: "write", path: "/3/0/15", value: "UTC" });
    await one.world.clock.advance(untilGivenUpMs);
    assert.equal(one.world.server.registrations.isAwake("dev-1"), false);
    const waiting = await stored(read._id);
    assert.deepEqual([waiting.status, waiting.attempts.length, waiting.attempts[0]?.outcome], ["queued", 1, "no-answer"]);
    assert.equal((await stored(write._id)).attempts.length, 0);
    one.world.network.filter = () => true;
    await one.device.update();
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.asked, ["GET /3/0/9", "PUT /3/0/15"]);
  });

  test("three times no answer is a failure; an Execute without one is not repeated: outcome-unknown", async () => {
    const read = await queued({ kind: "read", path: "/3/0/9" });
    const execute = await queued({ kind: "execute", path: "/3/0/4" });
    for (let contact = 0; contact < 4; contact += 1) {
      await one.device.update();
      one.world.network.filter = () => false;
      await one.world.clock.advance(untilGivenUpMs);
      one.world.network.filter = () => true;
    }
    const failed = await stored(read._id);
    assert.deepEqual([failed.status, failed.reason, failed.attempts.length], ["failed", "no-answer", 3]);
    const unknown = await stored(execute._id);
    assert.deepEqual([unknown.status, unknown.reason, unknown.attempts.length], ["failed", "outcome-unknown", 1]);
    await one.device.update();
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.asked, ["GET /3/0/9", "GET /3/0/9", "GET /3/0/9", "POST /3/0/4"]);
  });

  test("a newer operation with the same key takes the place of the older", async () => {
    const older = await queued({ kind: "write", path: "/3/0/15", value: "UTC", supersedeKey: "zone" });
    await queued({ kind: "write", path: "/3/0/15", value: "Europe/Paris", supersedeKey: "zone" });
    assert.equal((await stored(older._id)).status, "cancelled");
    await one.device.update();
    await one.world.clock.advance(1_000);
    assert.deepEqual(one.device.requests.map(text), ['[{"bn":"/3/0/15","vs":"Europe/Paris"}]']);
  });

  test("onOffline fail is refused at once; expiresAt ends the wait; notBefore holds it back; cancel takes it back", async () => {
    assert.equal((await refusal({ kind: "read", path: "/3/0/9", onOffline: "fail" }))?.reason, "device-unreachable");
    const nowMs = one.world.clock.now();
    const short = await queued({ kind: "read", path: "/3/0/9", expiresAt: nowMs + 60_000 });
    const cancelled = await queued({ kind: "read", path: "/3/0/9" });
    assert.equal((await one.world.until(one.world.server.operations.cancel(cancelled._id))).ok, true);
    assert.equal((await one.world.until(one.world.server.operations.cancel(cancelled._id))).ok, false);
    await one.world.clock.advance(61_000);
    assert.equal((await stored(short._id)).status, "expired");
    const later = await queued({ kind: "read", path: "/3/0/9", notBefore: one.world.clock.now() + 30_000 });
    await one.device.update();
    await one.world.clock.advance(29_000);
    assert.deepEqual(one.device.asked, []);
    await one.world.clock.advance(2_000);
    assert.deepEqual(one.device.asked, ["GET /3/0/9"]);
    assert.equal((await stored(later._id)).status, "succeeded");
    assert.ok((await one.world.eventTypes("dev-1")).includes("operation.expired"));
  });
});
