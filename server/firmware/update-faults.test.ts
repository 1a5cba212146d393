import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { FirmwareWorld, image, summary } from "../testing/firmware-world.ts";

const source = "LwM2M Core 1.1 appendix E.6";
const daysMs = 86_400_000;

let run: FirmwareWorld;

beforeEach(async () => {
  run = await FirmwareWorld.open();
});

afterEach(() => run.close());

describe(`${source}: faults on the way`, () => {
  beforeEach(() => run.device.device.register());

  test("a device that restarts in mid-download and forgets it is offered the package again", async () => {
    run.atBlock(3, () => void run.device.reboot(0).catch((error) => run.world.report(String(error))));
    assert.deepEqual(summary(await run.finish(await run.start())), ["succeeded", null, 2]);
  });

  test("... and one that reports Result 4 as well", async () => {
    run.atBlock(3, () => void run.device.reboot(4).catch((error) => run.world.report(String(error))));
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["succeeded", null, 2]);
    assert.equal(update.servedBytes, image.length);
  });

  test("a download that stalls is reset and offered again after half an hour", async () => {
    run.atBlock(2, () => run.device.stall());
    const update = await run.finish(await run.start(), 2 * 3_600_000);
    assert.deepEqual(summary(update), ["succeeded", null, 2]);
    const retry = update.history.find(({ state }) => state === "retryWait");
    assert.match(retry?.detail ?? "", /no block/);
  });

  test("a device that takes every offer and fetches nothing: failed after three", async () => {
    run.device.behaviour.fetches = false;
    assert.deepEqual(summary(await run.finish(await run.start())), ["failed", "offerIgnored", 3]);
  });

  test("the answer to the offer is lost: the look tells that the device has it", async () => {
    // The device's piggybacked 2.04; looks and blocks go through.
    run.lose(({ fromServer, code }) => !fromServer && code === 0x44 && run.device.executes.length === 0);
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.equal(new Set(run.device.offers).size, 1);
    assert.deepEqual(
      update.history.map(({ state }) => state),
      ["pending", "preparing", "offering", "downloaded", "applying", "rebooting", "succeeded"],
    );
  });

  test("the answer to the Execute is lost: the look tells that the device installs", async () => {
    run.lose(({ fromServer, code }) => !fromServer && code === 0x44 && run.device.executes.length > 0);
    const update = await run.finish(await run.start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.equal(run.device.executes.length, 1);
  });

  test("the Execute itself is lost: it is repeated only after a look at State 2", async () => {
    const id = await run.start();
    let lost = 0;
    run.lose(({ fromServer, code }) => fromServer && code === 0x02 && ++lost > 0);
    await run.reach(id, ["applying"]);
    await run.world.clock.advance(110_000);
    assert.ok(lost >= 5, `${lost} Executes lost`);
    const before = run.device.device.asked.length;
    run.world.network.filter = () => true;
    assert.deepEqual(summary(await run.finish(id)), ["succeeded", null, 1]);
    assert.equal(run.device.executes.length, 1);
    const asked = run.device.device.asked.slice(before);
    assert.ok(asked.indexOf("GET /5/0") < asked.indexOf("POST /5/0/2"), asked.join(", "));
  });

  test("a device that never comes back is lost half an hour after the Execute", async () => {
    run.device.behaviour.comesBack = false;
    const id = await run.start();
    const update = await run.finish(id);
    assert.deepEqual(summary(update), ["lost", null, 1]);
    const waited = run.world.clock.now() - (run.device.executes[0] ?? 0);
    assert.ok(waited >= 1_800_000 && waited < 2_100_000, `${waited} ms`);
  });

  test("a device that de-registers for good: the time allowed ends it", async () => {
    run.device.behaviour.fetches = false;
    const id = await run.start(run.world.clock.now() + daysMs);
    await run.reach(id, ["downloading"]);
    await run.device.device.deregister();
    await run.world.clock.advance(daysMs);
    assert.equal((await run.find(id)).state, "expired");
  });

  test("another address between offer and download makes no difference", async () => {
    const id = await run.start();
    await run.reach(id, ["downloading"]);
    run.world.network.rebind(run.device.device.address, { address: "10.9.9.9", port: 40_000 });
    await run.world.clock.advance(20_000);
    assert.deepEqual(run.device.image, image);
    // The server learns the new address from the next Update.
    await run.device.device.update();
    assert.equal((await run.finish(id)).state, "succeeded");
  });

  test("news while a look is pending make no second look", async () => {
    const id = await run.start();
    await run.reach(id, ["rebooting"]);
    await run.world.until(run.device.reboot(0));
    const waiting = await run.world.until(run.world.server.operations.list({ endpoint: "dev-1", open: true, limit: 10 }));
    assert.ok(waiting.length <= 2, `${waiting.length} operations wait`);
    run.device.state = 0;
    run.device.result = 1;
    run.device.version = "2.0";
    assert.equal((await run.finish(id)).state, "succeeded");
  });

  test("a deleted device: the update ends", async () => {
    run.device.behaviour.fetches = false;
    const id = await run.start();
    await run.reach(id, ["downloading"]);
    const { operations, registrations, devices } = run.world.server;
    await run.world.until(Promise.all([operations.forget("dev-1"), registrations.forget("dev-1")]));
    await run.world.until(devices.remove("dev-1"));
    assert.deepEqual(summary(await run.finish(id)), ["failed", "deviceDeleted", 1]);
  });
});

describe(`${source}: devices that sleep (LwM2M Core 1.1 §6.5)`, () => {
  const sleepy = ["lt=604800", "lwm2m=1.1", "b=U", "Q"];
  /** Longer than the awake window of 93 s. */
  const untilAsleepMs = 94_000;

  beforeEach(async () => {
    await run.device.device.register({ query: sleepy });
    await run.world.clock.advance(untilAsleepMs);
  });

  test("a device that calls once a day: nothing is lost, nothing is sent while it sleeps", async () => {
    const id = await run.start();
    await run.world.clock.advance(daysMs);
    assert.deepEqual(run.device.device.asked, []);
    assert.equal((await run.find(id)).state, "preparing");
    run.device.behaviour.fetches = false;
    await run.device.device.update();
    await run.reach(id, ["downloading"]);
    run.world.network.filter = () => false;
    await run.world.clock.advance(daysMs);
    run.world.network.filter = () => true;
    assert.deepEqual(summary(await run.find(id)), ["downloading", null, 1]);
    run.device.behaviour.fetches = true;
    await run.device.device.update();
    await run.world.clock.advance(30_000);
    assert.deepEqual(summary(await run.find(id)), ["downloading", null, 1], "it has its ten minutes again");
    assert.equal((await run.finish(id)).state, "succeeded");
    assert.equal(run.device.executes.length, 1);
  });

  test("a sleeping device costs a store write now and then, not one a minute", async () => {
    const id = await run.start();
    await run.world.clock.advance(60_000);
    const before = await run.find(id);
    await run.world.clock.advance(5 * 3_600_000);
    const writes = (await run.find(id)).rev - before.rev;
    assert.ok(writes > 0 && writes < 20, `${writes} writes in 5 hours`);
  });
});
