import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { FirmwareWorld, image, summary } from "../testing/firmware-world.ts";

const source = "LwM2M Core 1.1 appendix E.6";

let run: FirmwareWorld;

beforeEach(async () => {
  run = await FirmwareWorld.open();
});

afterEach(() => run.close());

describe(`${source}: the straight path`, () => {
  test("look, offer, pull, Execute, restart, Result 1 and the new version: succeeded", async () => {
    await run.device.device.register();
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.deepEqual(run.device.image, image);
    assert.equal(run.device.executes.length, 1);
    assert.equal(update.servedBytes, image.length);
    assert.deepEqual(
      update.history.map(({ state }) => state),
      ["pending", "preparing", "offering", "downloading", "downloaded", "applying", "rebooting", "succeeded"],
    );
    assert.deepEqual(await run.statesTold(), ["pending", "preparing", "offering", "downloading", "applying", "rebooting", "succeeded"]);
    assert.ok(run.world.clock.now() - update.createdAt < 13_000, "no look was missed");
  });
});

describe(`${source}: what the device reports`, () => {
  beforeEach(() => run.device.device.register());

  test("a clean device on the target version is left alone", async () => {
    run.device.version = "2.0";
    assert.deepEqual(summary(await run.finish(await run.start())), ["alreadyCurrent", null, 0]);
    assert.deepEqual(run.device.offers, []);
  });

  const refusals = [
    [2, "result2NotEnoughFlash", 1],
    [3, "result3OutOfRam", 3],
    [4, "result4ConnectionLost", 3],
    [5, "result5IntegrityFailure", 2],
    [6, "result6UnsupportedPackageType", 1],
    [7, "result7InvalidUri", 1],
    [8, "result8UpdateFailed", 1],
    [9, "result9UnsupportedProtocol", 1],
    [77, "resultUnknown", 1],
  ] as const;
  for (const [result, failure, attempts] of refusals) {
    test(`Update Result ${result} after each download: failed, ${attempts} offer${attempts === 1 ? "" : "s"}`, async () => {
      run.device.behaviour.downloadResults = Array.from({ length: 9 }, () => result);
      const update = await run.finish(await run.start());
      assert.deepEqual(summary(update), ["failed", failure, attempts]);
      assert.equal(run.device.offers.filter((uri) => uri !== "").length, attempts);
      assert.equal(run.device.executes.length, 0);
      assert.equal(update.seen?.result, result);
    });
  }

  for (const result of [4, 5]) {
    test(`Update Result ${result} once: the second offer succeeds, after the pause and a reset`, async () => {
      run.device.behaviour.downloadResults = [result];
      const update = await run.finish(await run.start());
      assert.deepEqual(summary(update), ["succeeded", null, 2]);
      assert.deepEqual(
        run.device.offers.map((uri) => uri !== ""),
        [true, false, true],
      );
      const retry = update.history.find(({ state }) => state === "retryWait");
      const again = update.history.find(({ state, at }) => state === "preparing" && at > (retry?.at ?? 0));
      assert.ok((again?.at ?? 0) - (retry?.at ?? 0) >= 30_000);
    });
  }

  test("a restart does not shorten the pause before the next attempt", async () => {
    run.device.behaviour.downloadResults = [4];
    const id = await run.start();
    await run.reach(id, ["retryWait"]);
    await run.world.until(run.device.reboot(4));
    await run.world.clock.advance(20_000);
    assert.equal((await run.find(id)).state, "retryWait");
    assert.deepEqual(summary(await run.finish(id)), ["succeeded", null, 2]);
  });

  test("Result 8 after the Execute: rolled back", async () => {
    run.device.behaviour.installResult = 8;
    assert.deepEqual(summary(await run.finish(await run.start())), ["rolledBack", "result8UpdateFailed", 1]);
    assert.equal(run.device.executes.length, 1);
  });

  test("Result 5 after the Execute: offered once more", async () => {
    run.device.behaviour.installResult = 5;
    const id = await run.start();
    await run.reach(id, ["retryWait"]);
    run.device.behaviour.installResult = 1;
    assert.deepEqual(summary(await run.finish(id)), ["succeeded", null, 2]);
    assert.equal(run.device.executes.length, 2);
  });

  test("Result 1 with another version: failed, however long one looks", async () => {
    run.device.behaviour.newVersion = "2.0.1";
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["failed", "versionMismatch", 1]);
    assert.match(update.detail ?? "", /2\.0\.1 instead of 2\.0/);
  });

  test("Result 0 and the old version after the restart: rolled back, but not before it had time to report", async () => {
    run.device.behaviour.installResult = 0;
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["rolledBack", "versionMismatch", 1]);
    assert.ok(run.world.clock.now() - (run.device.executes[0] ?? 0) > 120_000);
  });

  test("a report that comes a minute after the restart is taken", async () => {
    run.device.behaviour.installResult = 0;
    const id = await run.start();
    await run.reach(id, ["verifying"]);
    await run.world.clock.advance(60_000);
    run.device.result = 1;
    run.device.version = "2.0";
    assert.deepEqual(summary(await run.finish(id)), ["succeeded", null, 1]);
  });

  test("push only, other protocols only, no /5: failed before anything is written", async () => {
    run.device.behaviour.delivery = 1;
    assert.equal((await run.finish(await run.start())).failure, "pullNotSupported");
    run.device.behaviour.delivery = 2;
    run.device.behaviour.protocols = [2, 3];
    assert.equal((await run.finish(await run.start())).failure, "protocolNotSupported");
    run.device.device.answers.delete("GET /5/0");
    assert.equal((await run.finish(await run.start())).failure, "noFirmwareObject");
    await run.device.device.register({ links: "</3/0>" });
    assert.equal((await run.finish(await run.start())).failure, "noFirmwareObject");
    assert.deepEqual(run.device.offers, []);
  });

  test("CoAP among the protocols is enough; what is left from before is reset first", async () => {
    run.device.behaviour.protocols = [0, 1];
    run.device.state = 2;
    run.device.result = 0;
    assert.equal((await run.finish(await run.start())).state, "succeeded");
    assert.equal(run.device.offers[0], "");
  });
});
