/** Secured connections over restarts and kills of the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCode } from "@lwm2m/protocol/coap/codes";
import { senmlValue } from "../testing/scripted-device.ts";
import { aRegistered, aSend, aWorld, read } from "./secured-fixture.ts";

test("a restart of the server: the device goes on with its next message, observation and waiting operation included", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  await world.clock.advance(1_000);
  await world.stop();
  await world.start();
  assert.equal(world.server.secured.counters["restored"], 1);
  assert.equal(await read(world), "succeeded");
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 46))), { ok: true });
  assert.equal((await world.until(world.server.twins.find("dev-1")))?.values["/3/0/9"]?.value, 46);
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.equal(world.server.secured.counters["connected"], 0);
  await device.close();
});

test("RFC 9175 §2.3: after a kill what changes something is asked for its freshness once, and the device goes on without a handshake", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  await world.carryOut("dev-1", { kind: "observe", path: "/3/0/9" });
  await world.clock.advance(1_000);
  await world.kill();
  await world.start();
  assert.equal(world.server.secured.counters["restored"], 1);
  const before = world.network.traffic.length;
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  const rounds = (from: number): number => world.network.traffic.slice(from).filter(({ to }) => to.port === 5_684).length;
  assert.equal(rounds(before), 2, "the Update, and the Update with the value it was given");
  const later = world.network.traffic.length;
  assert.equal(formatCode((await device.scripted.update()).code), "2.04");
  assert.ok(rounds(later) >= 1);
  assert.equal(await read(world), "succeeded");
  assert.deepEqual(await world.until(device.scripted.notify("/3/0/9", senmlValue("/3/0/9", 47))), { ok: true });
  assert.equal(world.server.secured.counters["connected"], 0);
  await device.close();
});

test("kill -9 in the middle of traffic, ten times: nothing acknowledged is lost and no handshake is needed", async (t) => {
  const world = await aWorld(t);
  const device = await aRegistered(world);
  for (let round = 1; round <= 10; round += 1) {
    const outcome = await world.create("dev-1", { kind: "read", path: "/3/0/9" });
    assert.ok(outcome.ok);
    const sending = device.scripted.request(aSend, { timeoutMs: 60_000 });
    await world.clock.advance(round * 3);
    await world.kill();
    await world.start();
    const sent = await world.until(sending, 100_000);
    assert.ok(sent.ok, `round ${round}: ${sent.ok ? "" : sent.reason}`);
    const done = await world.until(world.server.operations.waitFor(outcome.operation._id, 60_000), 100_000);
    assert.equal(done?.status, "succeeded", `round ${round}`);
    assert.equal(world.server.secured.counters["restored"], 1, `round ${round}`);
    assert.equal(world.server.secured.counters["connected"], 0, `round ${round}`);
  }
  await device.close();
});
