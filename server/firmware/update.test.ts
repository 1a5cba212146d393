import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { type FirmwareUpdate, finalStates, type UpdateState } from "./update.ts";

const source = "LwM2M Core 1.1 appendix E.6";
const daysMs = 86_400_000;
const by = { actor: "test", traceId: "0".repeat(32) };
const image = new Uint8Array(5_000).map((_, index) => index % 251);
const serverPort = 5_683;

let world: ServerWorld;
let device: FirmwareDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new FirmwareDevice(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function start(expiresAt?: number): Promise<string> {
  const added = await world.until(world.server.packages.add({ name: "sensor", version: "2.0", createdBy: "test" }, inOne(image)));
  assert.ok(added.ok);
  const limit = expiresAt === undefined ? {} : { expiresAt };
  const outcome = await world.until(world.server.updates.start({ endpoint: "dev-1", package: added.package, ...by, ...limit }));
  assert.ok(outcome.ok);
  return outcome.update._id;
}

async function find(id: string): Promise<FirmwareUpdate> {
  const update = await world.until(world.server.updates.find(id));
  assert.ok(update);
  return update;
}

/** Lets time pass until the update is in one of these states. */
async function reach(id: string, states: readonly UpdateState[], limitMs = 3_600_000): Promise<FirmwareUpdate> {
  for (let passed = 0; passed <= limitMs; ) {
    const update = await find(id);
    if (states.includes(update.state)) return update;
    const stepMs = passed < 2_000 ? 10 : passed < 60_000 ? 100 : 1_000;
    await world.clock.advance(stepMs);
    passed += stepMs;
  }
  const { state, detail } = await find(id);
  assert.fail(`after ${limitMs} ms the update is still ${state} (${detail})`);
}

const finish = (id: string, limitMs?: number): Promise<FirmwareUpdate> => reach(id, finalStates, limitMs);

async function statesTold(): Promise<readonly unknown[]> {
  const events = await world.eventsOf("dev-1");
  return events.filter(({ type }) => type === "update.changed").map(({ data }) => Reflect.get(Object(data), "state"));
}

/** What a test expects of the end, in one line. */
function summary({ state, failure, attempt }: FirmwareUpdate): readonly unknown[] {
  return [state, failure, attempt];
}

describe(`${source}: the straight path`, () => {
  test("look, offer, pull, Execute, restart, Result 1 and the new version: succeeded", async () => {
    await device.device.register();
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.deepEqual(device.image, image);
    assert.equal(device.executes.length, 1);
    assert.equal(update.servedBytes, image.length);
    assert.deepEqual(
      update.history.map(({ state }) => state),
      ["pending", "preparing", "offering", "downloading", "downloaded", "applying", "rebooting", "succeeded"],
    );
    assert.deepEqual(await statesTold(), ["pending", "preparing", "offering", "downloading", "applying", "rebooting", "succeeded"]);
    assert.ok(world.clock.now() - update.createdAt < 13_000, "no look was missed");
  });
});

describe(`${source}: what the device reports`, () => {
  beforeEach(() => device.device.register());

  test("a clean device on the target version is left alone", async () => {
    device.version = "2.0";
    assert.deepEqual(summary(await finish(await start())), ["alreadyCurrent", null, 0]);
    assert.deepEqual(device.offers, []);
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
      device.behaviour.downloadResults = Array.from({ length: 9 }, () => result);
      const update = await finish(await start());
      assert.deepEqual(summary(update), ["failed", failure, attempts]);
      assert.equal(device.offers.filter((uri) => uri !== "").length, attempts);
      assert.equal(device.executes.length, 0);
      assert.equal(update.seen?.result, result);
    });
  }

  for (const result of [4, 5]) {
    test(`Update Result ${result} once: the second offer succeeds, after the pause and a reset`, async () => {
      device.behaviour.downloadResults = [result];
      const update = await finish(await start());
      assert.deepEqual(summary(update), ["succeeded", null, 2]);
      assert.deepEqual(
        device.offers.map((uri) => uri !== ""),
        [true, false, true],
      );
      const retry = update.history.find(({ state }) => state === "retryWait");
      const again = update.history.find(({ state, at }) => state === "preparing" && at > (retry?.at ?? 0));
      assert.ok((again?.at ?? 0) - (retry?.at ?? 0) >= 30_000);
    });
  }

  test("a restart does not shorten the pause before the next attempt", async () => {
    device.behaviour.downloadResults = [4];
    const id = await start();
    await reach(id, ["retryWait"]);
    await world.until(device.reboot(4));
    await world.clock.advance(20_000);
    assert.equal((await find(id)).state, "retryWait");
    assert.deepEqual(summary(await finish(id)), ["succeeded", null, 2]);
  });

  test("Result 8 after the Execute: rolled back", async () => {
    device.behaviour.installResult = 8;
    assert.deepEqual(summary(await finish(await start())), ["rolledBack", "result8UpdateFailed", 1]);
    assert.equal(device.executes.length, 1);
  });

  test("Result 5 after the Execute: offered once more", async () => {
    device.behaviour.installResult = 5;
    const id = await start();
    await reach(id, ["retryWait"]);
    device.behaviour.installResult = 1;
    assert.deepEqual(summary(await finish(id)), ["succeeded", null, 2]);
    assert.equal(device.executes.length, 2);
  });

  test("Result 1 with another version: failed, however long one looks", async () => {
    device.behaviour.newVersion = "2.0.1";
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["failed", "versionMismatch", 1]);
    assert.match(update.detail ?? "", /2\.0\.1 instead of 2\.0/);
  });

  test("Result 0 and the old version after the restart: rolled back, but not before it had time to report", async () => {
    device.behaviour.installResult = 0;
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["rolledBack", "versionMismatch", 1]);
    assert.ok(world.clock.now() - (device.executes[0] ?? 0) > 120_000);
  });

  test("a report that comes a minute after the restart is taken", async () => {
    device.behaviour.installResult = 0;
    const id = await start();
    await reach(id, ["verifying"]);
    await world.clock.advance(60_000);
    device.result = 1;
    device.version = "2.0";
    assert.deepEqual(summary(await finish(id)), ["succeeded", null, 1]);
  });

  test("push only, other protocols only, no /5: failed before anything is written", async () => {
    device.behaviour.delivery = 1;
    assert.equal((await finish(await start())).failure, "pullNotSupported");
    device.behaviour.delivery = 2;
    device.behaviour.protocols = [2, 3];
    assert.equal((await finish(await startAgain())).failure, "protocolNotSupported");
    device.device.answers.delete("GET /5/0");
    assert.equal((await finish(await startAgain())).failure, "noFirmwareObject");
    await device.device.register({ links: "</3/0>" });
    assert.equal((await finish(await startAgain())).failure, "noFirmwareObject");
    assert.deepEqual(device.offers, []);
  });

  test("CoAP among the protocols is enough; what is left from before is reset first", async () => {
    device.behaviour.protocols = [0, 1];
    device.state = 2;
    device.result = 0;
    assert.equal((await finish(await start())).state, "succeeded");
    assert.equal(device.offers[0], "");
  });
});

/** The package is there already. */
async function startAgain(expiresAt?: number): Promise<string> {
  const [pack] = await world.until(world.server.packages.page(1, undefined));
  assert.ok(pack);
  const limit = expiresAt === undefined ? {} : { expiresAt };
  const outcome = await world.until(world.server.updates.start({ endpoint: "dev-1", package: pack, ...by, ...limit }));
  assert.ok(outcome.ok);
  return outcome.update._id;
}

describe(`${source}: faults on the way`, () => {
  beforeEach(() => device.device.register());

  /** Calls back with the nth datagram of the server that carries a whole block. */
  function atBlock(nth: number, happen: () => void): void {
    let blocks = 0;
    world.network.filter = ({ from, bytes }) => {
      if (from.port === serverPort && bytes.length > 512 && ++blocks === nth) world.clock.after(0, happen);
      return true;
    };
  }

  /** Loses the first datagrams of a direction that match, as long as the test says. */
  function lose(matches: (datagram: { readonly fromServer: boolean; readonly text: string; readonly bytes: Uint8Array }) => boolean): void {
    const decoder = new TextDecoder("latin1");
    world.network.filter = ({ from, bytes }) => !matches({ fromServer: from.port === serverPort, text: decoder.decode(bytes), bytes });
  }

  test("a device that restarts in mid-download and forgets it is offered the package again", async () => {
    atBlock(3, () => void device.reboot(0).catch((error) => world.report(String(error))));
    assert.deepEqual(summary(await finish(await start())), ["succeeded", null, 2]);
  });

  test("... and one that reports Result 4 as well", async () => {
    atBlock(3, () => void device.reboot(4).catch((error) => world.report(String(error))));
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["succeeded", null, 2]);
    assert.equal(update.servedBytes, image.length);
  });

  test("a download that stalls is reset and offered again after half an hour", async () => {
    atBlock(2, () => device.stall());
    const update = await finish(await start(), 2 * 3_600_000);
    assert.deepEqual(summary(update), ["succeeded", null, 2]);
    const retry = update.history.find(({ state }) => state === "retryWait");
    assert.match(retry?.detail ?? "", /no block/);
  });

  test("a device that takes every offer and fetches nothing: failed after three", async () => {
    device.behaviour.fetches = false;
    assert.deepEqual(summary(await finish(await start())), ["failed", "offerIgnored", 3]);
  });

  test("the answer to the offer is lost: the look tells that the device has it", async () => {
    // The device's piggybacked 2.04; looks and blocks go through.
    lose(({ fromServer, bytes }) => !fromServer && bytes[1] === 0x44 && device.executes.length === 0);
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.equal(new Set(device.offers).size, 1);
    assert.deepEqual(
      update.history.map(({ state }) => state),
      ["pending", "preparing", "offering", "downloaded", "applying", "rebooting", "succeeded"],
    );
  });

  test("the answer to the Execute is lost: the look tells that the device installs", async () => {
    lose(({ fromServer, bytes }) => !fromServer && bytes[1] === 0x44 && device.executes.length > 0);
    const update = await finish(await start());
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.equal(device.executes.length, 1);
  });

  test("the Execute itself is lost: it is repeated only after a look at State 2", async () => {
    const id = await start();
    let lost = 0;
    lose(({ fromServer, bytes }) => fromServer && bytes[1] === 0x02 && ++lost > 0);
    await reach(id, ["applying"]);
    await world.clock.advance(110_000);
    assert.ok(lost >= 5, `${lost} Executes lost`);
    const before = device.device.asked.length;
    world.network.filter = () => true;
    assert.deepEqual(summary(await finish(id)), ["succeeded", null, 1]);
    assert.equal(device.executes.length, 1);
    const asked = device.device.asked.slice(before);
    assert.ok(asked.indexOf("GET /5/0") < asked.indexOf("POST /5/0/2"), asked.join(", "));
  });

  test("a device that never comes back is lost half an hour after the Execute", async () => {
    device.behaviour.comesBack = false;
    const id = await start();
    const update = await finish(id);
    assert.deepEqual(summary(update), ["lost", null, 1]);
    const waited = world.clock.now() - (device.executes[0] ?? 0);
    assert.ok(waited >= 1_800_000 && waited < 2_100_000, `${waited} ms`);
  });

  test("a device that de-registers for good: the time allowed ends it", async () => {
    device.behaviour.fetches = false;
    const id = await start(world.clock.now() + daysMs);
    await reach(id, ["downloading"]);
    await device.device.deregister();
    await world.clock.advance(daysMs);
    assert.equal((await find(id)).state, "expired");
  });

  test("another address between offer and download makes no difference", async () => {
    const id = await start();
    await reach(id, ["downloading"]);
    world.network.rebind(device.device.address, { address: "10.9.9.9", port: 40_000 });
    await world.clock.advance(20_000);
    assert.deepEqual(device.image, image);
    // The server learns the new address from the next Update.
    await device.device.update();
    assert.equal((await finish(id)).state, "succeeded");
  });

  test("news while a look is pending make no second look", async () => {
    const id = await start();
    await reach(id, ["rebooting"]);
    await world.until(device.reboot(0));
    const waiting = await world.until(world.server.operations.list({ endpoint: "dev-1", open: true, limit: 10 }));
    assert.ok(waiting.length <= 2, `${waiting.length} operations wait`);
    device.state = 0;
    device.result = 1;
    device.version = "2.0";
    assert.equal((await finish(id)).state, "succeeded");
  });

  test("a deleted device: the update ends", async () => {
    device.behaviour.fetches = false;
    const id = await start();
    await reach(id, ["downloading"]);
    const { operations, registrations, devices } = world.server;
    await world.until(Promise.all([operations.forget("dev-1"), registrations.forget("dev-1")]));
    await world.until(devices.remove("dev-1"));
    assert.deepEqual(summary(await finish(id)), ["failed", "deviceDeleted", 1]);
  });
});

describe(`${source}: devices that sleep (LwM2M Core 1.1 §6.5)`, () => {
  const sleepy = ["lt=604800", "lwm2m=1.1", "b=U", "Q"];
  /** Longer than the awake window of 93 s. */
  const untilAsleepMs = 94_000;

  beforeEach(async () => {
    await device.device.register({ query: sleepy });
    await world.clock.advance(untilAsleepMs);
  });

  test("a device that calls once a day: nothing is lost, nothing is sent while it sleeps", async () => {
    const id = await start();
    await world.clock.advance(2 * daysMs);
    assert.deepEqual(device.device.asked, []);
    assert.equal((await find(id)).state, "preparing");
    device.behaviour.fetches = false;
    await device.device.update();
    await reach(id, ["downloading"]);
    world.network.filter = () => false;
    await world.clock.advance(daysMs);
    world.network.filter = () => true;
    assert.deepEqual(summary(await find(id)), ["downloading", null, 1]);
    device.behaviour.fetches = true;
    await device.device.update();
    await world.clock.advance(30_000);
    assert.deepEqual(summary(await find(id)), ["downloading", null, 1], "it has its ten minutes again");
    assert.equal((await finish(id)).state, "succeeded");
    assert.equal(device.executes.length, 1);
  });

  test("a sleeping device costs a store write now and then, not one a minute", async () => {
    const id = await start();
    await world.clock.advance(60_000);
    const before = await find(id);
    await world.clock.advance(20 * 3_600_000);
    const writes = (await find(id)).rev - before.rev;
    assert.ok(writes > 0 && writes < 40, `${writes} writes in 20 hours`);
  });
});

describe("cancel", () => {
  const cancel = (id: string) => world.until(world.server.updates.cancel(id, by));

  test("before the device was seen: nothing is ever sent", async () => {
    await device.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    await world.clock.advance(94_000);
    const id = await start();
    assert.equal((await cancel(id)).ok, true);
    const again = await cancel(id);
    assert.ok(!again.ok && again.reason === "finished");
    await device.device.update();
    await world.clock.advance(600_000);
    assert.deepEqual(device.device.asked, []);
    assert.deepEqual(await statesTold(), ["pending", "preparing", "cancelled"]);
  });

  test("while it waits for its offer, downloads or pauses: the device is reset", async () => {
    await device.device.register();
    const wanted: readonly UpdateState[] = ["offering", "downloading", "retryWait"];
    for (const [index, state] of wanted.entries()) {
      device.behaviour.downloadResults = [4];
      const id = index === 0 ? await start() : await startAgain();
      await reach(id, [state]);
      assert.equal((await cancel(id)).ok, true, state);
      await world.clock.advance(60_000);
      assert.equal((await find(id)).state, "cancelled");
      assert.deepEqual([device.state, device.result, device.offers.at(-1)], [0, 0, ""], state);
    }
    assert.equal(device.executes.length, 0);
  });

  test("an Execute that waits for a sleeping device is taken back; one that left is not", async () => {
    const id = await startedUpToTheExecute();
    assert.equal((await cancel(id)).ok, true);
    await device.device.update();
    await world.clock.advance(60_000);
    assert.deepEqual([device.executes.length, device.state], [0, 0]);

    device.behaviour.installResult = 0;
    const again = await startAgain();
    for (const state of ["rebooting", "verifying"] as const) {
      await reach(again, [state]);
      const refused = await cancel(again);
      assert.ok(!refused.ok && refused.reason === "irrevocable", state);
    }
    assert.equal((await finish(again)).state, "rolledBack");
  });

  test("an unknown update", async () => {
    assert.deepEqual(await cancel("none"), { ok: false, reason: "update-unknown" });
  });

  test("the server dies anywhere in a cancellation: told as cancelled or still running, and consistent either way", async () => {
    await device.device.register();
    device.behaviour.fetches = false;
    const first = await start();
    await reach(first, ["downloading"]);
    const before = world.store.writes;
    assert.equal((await cancel(first)).ok, true);
    const writes = world.store.writes - before;
    assert.ok(writes >= 2);
    for (let nth = 1; nth <= writes; nth += 1) {
      await world.clock.advance(60_000);
      const id = await startAgain();
      await reach(id, ["downloading"]);
      world.store.dieAtWrite(world.store.writes + nth, "before", () => {});
      await cancel(id).catch(() => undefined);
      await world.kill();
      await world.start();
      await world.clock.advance(1_000);
      if ((await find(id)).active) assert.equal((await cancel(id)).ok, true);
      await world.clock.advance(60_000);
      assert.equal((await find(id)).state, "cancelled", `write ${nth}`);
      assert.deepEqual([device.state, device.offers.at(-1)], [0, ""], `write ${nth}`);
    }
  });

  /** Fetched, State 2, and asleep before the Execute could leave. */
  async function startedUpToTheExecute(): Promise<string> {
    await device.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    let fallsAsleep = true;
    world.server.operations.onFinished(({ path }) => {
      if (path !== "/5/0" || device.state !== 2 || !fallsAsleep) return;
      fallsAsleep = false;
      world.server.registrations.noteUnreachable("dev-1");
    });
    const id = await start();
    const update = await reach(id, ["applying"]);
    assert.deepEqual([update.pending?.purpose, update.applies], ["apply", 0]);
    await world.clock.advance(60_000);
    return id;
  }
});

describe("the time allowed", () => {
  test("ends an update that waits, and its package is served no longer", async () => {
    await device.device.register();
    device.behaviour.fetches = false;
    const id = await start(world.clock.now() + 60_000);
    await reach(id, ["downloading"]);
    const update = await finish(id);
    assert.deepEqual(summary(update), ["expired", null, 1]);
    assert.equal(update.finishedAt, update.expiresAt);
  });

  test("does not end what is being installed", async () => {
    await device.device.register();
    device.behaviour.bootMs = 120_000;
    const id = await start(world.clock.now() + 60_000);
    const update = await finish(id);
    assert.deepEqual(summary(update), ["succeeded", null, 1]);
    assert.ok((update.finishedAt ?? 0) > update.expiresAt);
  });

  test("passes while the server is down: told at the next start", async () => {
    await device.device.register();
    device.behaviour.fetches = false;
    const id = await start(world.clock.now() + 600_000);
    await reach(id, ["downloading"]);
    await world.kill();
    await world.clock.advance(3_600_000);
    await world.start();
    await world.clock.advance(1_000);
    assert.equal((await find(id)).state, "expired");
  });
});
