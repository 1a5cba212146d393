/** A device that does not take several operations in one request. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { battery, changed, maker, read, sleeper, temperature, untilAsleepMs, write } from "./wake-up-fixture.ts";

const { one, answerReads, open, queue, stored, wakeUp } = sleeper();

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
      one.device.answers.set("FETCH /", { code });
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
      await one.world.clock.advance(untilAsleepMs);
      await queue(read(battery), read(maker));
      assert.deepEqual(await wakeUp(), [`GET ${battery}`, `GET ${maker}`]);
      answerReads();
      await one.device.register();
      await one.world.clock.advance(untilAsleepMs);
      await queue(read(battery), read(maker));
      assert.deepEqual(await wakeUp(), ["FETCH /"]);
    });
  }

  test("LwM2M Core 1.1 §6.3.9: all or nothing: the one at fault fails by itself, the others succeed, later ones go together again", async () => {
    await open();
    one.device.answers.set("IPATCH /", { code: ResponseCode.notFound });
    one.device.answers.set("PUT /3/0/14", changed);
    const ids = await queue(write("/3/0/14", "+02:00"), write("/1/0/3", 60));
    assert.deepEqual(await wakeUp(), ["IPATCH /", "PUT /3/0/14", "PUT /1/0/3"]);
    assert.deepEqual(
      (await stored(ids)).map(({ status, coapCode }) => `${status} ${coapCode}`),
      ["succeeded 2.04", "failed 4.04"],
    );
    one.device.answers.set("IPATCH /", changed);
    await one.world.clock.advance(untilAsleepMs);
    await queue(write("/3/0/14", "+03:00"), write("/1/0/2", 5));
    assert.deepEqual(await wakeUp(), ["IPATCH /"]);
  });

  test("no answer to several, twice: the third attempt of each is its own", async () => {
    await open();
    const ids = await queue(read(battery), read(temperature));
    for (let contact = 0; contact < 2; contact += 1) {
      await one.device.update();
      one.world.network.filter = () => false;
      await one.world.clock.advance(100_000);
      one.world.network.filter = () => true;
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
