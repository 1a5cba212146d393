import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { FirmwareWorld, summary } from "../testing/firmware-world.ts";
import type { UpdateState } from "./update.ts";

const source = "LwM2M Core 1.1 appendix E.6";

let run: FirmwareWorld;

beforeEach(async () => {
  run = await FirmwareWorld.open();
});

afterEach(() => run.close());

describe(`${source}: cancel`, () => {
  test("before the device was seen: nothing is ever sent", async () => {
    await run.device.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    await run.world.clock.advance(94_000);
    const id = await run.start();
    assert.equal((await run.cancel(id)).ok, true);
    const again = await run.cancel(id);
    assert.ok(!again.ok && again.reason === "finished");
    await run.device.device.update();
    await run.world.clock.advance(600_000);
    assert.deepEqual(run.device.device.asked, []);
    assert.deepEqual(await run.statesTold(), ["pending", "preparing", "cancelled"]);
  });

  test("while it waits for its offer, downloads or pauses: the device is reset", async () => {
    await run.device.device.register();
    const wanted: readonly UpdateState[] = ["offering", "downloading", "retryWait"];
    for (const state of wanted) {
      run.device.behaviour.downloadResults = [4];
      const id = await run.start();
      await run.reach(id, [state]);
      assert.equal((await run.cancel(id)).ok, true, state);
      await run.world.clock.advance(60_000);
      assert.equal((await run.find(id)).state, "cancelled");
      assert.deepEqual([run.device.state, run.device.result, run.device.offers.at(-1)], [0, 0, ""], state);
    }
    assert.equal(run.device.executes.length, 0);
  });

  test("an Execute that waits for a sleeping device is taken back; one that left is not", async () => {
    const id = await startedUpToTheExecute();
    assert.equal((await run.cancel(id)).ok, true);
    await run.device.device.update();
    await run.world.clock.advance(60_000);
    assert.deepEqual([run.device.executes.length, run.device.state], [0, 0]);

    run.device.behaviour.installResult = 0;
    const again = await run.start();
    for (const state of ["rebooting", "verifying"] as const) {
      await run.reach(again, [state]);
      const refused = await run.cancel(again);
      assert.ok(!refused.ok && refused.reason === "irrevocable", state);
    }
    assert.equal((await run.finish(again)).state, "rolledBack");
  });

  test("an unknown update", async () => {
    assert.deepEqual(await run.cancel("none"), { ok: false, reason: "update-unknown" });
  });

  test("the server dies anywhere in a cancellation: told as cancelled or still running, and consistent either way", async () => {
    await run.device.device.register();
    run.device.behaviour.fetches = false;
    const first = await run.start();
    await run.reach(first, ["downloading"]);
    const before = run.world.store.writes;
    assert.equal((await run.cancel(first)).ok, true);
    const writes = run.world.store.writes - before;
    assert.ok(writes >= 2);
    for (let nth = 1; nth <= writes; nth += 1) {
      await run.world.clock.advance(60_000);
      const id = await run.start();
      await run.reach(id, ["downloading"]);
      run.world.store.dieAtWrite(run.world.store.writes + nth, "before", () => {});
      await run.cancel(id).catch(() => undefined);
      await run.world.kill();
      await run.world.start();
      await run.world.clock.advance(1_000);
      if ((await run.find(id)).active) assert.equal((await run.cancel(id)).ok, true);
      await run.world.clock.advance(60_000);
      assert.equal((await run.find(id)).state, "cancelled", `write ${nth}`);
      assert.deepEqual([run.device.state, run.device.offers.at(-1)], [0, ""], `write ${nth}`);
    }
  });

  /** Fetched, State 2, and asleep before the Execute could leave. */
  async function startedUpToTheExecute(): Promise<string> {
    await run.device.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    let fallsAsleep = true;
    run.world.server.operations.onFinished(({ path }) => {
      if (path !== "/5/0" || run.device.state !== 2 || !fallsAsleep) return;
      fallsAsleep = false;
      run.world.server.registrations.noteUnreachable("dev-1");
    });
    const id = await run.start();
    const update = await run.reach(id, ["applying"]);
    assert.deepEqual([update.pending?.purpose, update.applies], ["apply", 0]);
    await run.world.clock.advance(60_000);
    return id;
  }
});

describe(`${source}: the time allowed`, () => {
  test("ends an update that waits, and its package is served no longer", async () => {
    await run.device.device.register();
    run.device.behaviour.fetches = false;
    const id = await run.start(run.world.clock.now() + 60_000);
    await run.reach(id, ["downloading"]);
    const update = await run.finish(id);
    assert.deepEqual(summary(update), ["expired", null, 1]);
    assert.equal(update.finishedAt, update.expiresAt);
  });

  test("does not end what is being installed", async () => {
    await run.device.device.register();
    run.device.behaviour.bootMs = 120_000;
    const id = await run.start(run.world.clock.now() + 60_000);
    const update = await run.finish(id);
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.ok((update.finishedAt ?? 0) > update.expiresAt);
  });

  test("passes while the server is down: told at the next start", async () => {
    await run.device.device.register();
    run.device.behaviour.fetches = false;
    const id = await run.start(run.world.clock.now() + 600_000);
    await run.reach(id, ["downloading"]);
    await run.world.kill();
    await run.world.clock.advance(3_600_000);
    await run.world.start();
    await run.world.clock.advance(1_000);
    assert.equal((await run.find(id)).state, "expired");
  });
});
