/** Relations that the endpoint holds at others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { aLog, get, hexOf, hold } from "./observe-fixture.ts";
import { isNewer } from "./observe-order.ts";

test("RFC 7641 §3.4: 24-bit order, and after 128 s anything is newer", () => {
  const last = { sequence: 0xfffffe, receivedAt: 0 };
  const at = (sequence: number, receivedAt = 1): boolean => isNewer(last, { sequence, receivedAt });
  assert.equal(at(0xffffff), true);
  assert.equal(at(0), true, "the number wraps");
  assert.equal(at(0x7ffffd), true);
  assert.equal(at(0x7ffffe), false, "exactly half way is not newer");
  assert.equal(at(0xfffffe), false);
  assert.equal(at(0xfffffd), false);
  assert.equal(at(0xfffffd, 128_000), false);
  assert.equal(at(0xfffffd, 128_001), true);
  assert.equal(isNewer(undefined, last), true);
});

test("RFC 7641 §3.4, §4.5: fresh notifications are delivered, stale and repeated ones acknowledged only", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const { token } = await hold(endpoint, peer, log);
  assert.deepEqual(await peer.ask(`48450001${token}6107ff37`), ["60000001"]);
  assert.deepEqual(await peer.ask(`48450001${token}6107ff37`), ["60000001"]);
  assert.deepEqual(await peer.ask(`48450002${token}6106ff36`), ["60000002"]);
  assert.deepEqual(await peer.ask(`58450003${token}6108ff38`), []);
  assert.deepEqual(await peer.ask(`58450003${token}6108ff38`), []);
  assert.deepEqual(log.seen, ["7", "8"]);
  await world.clock.advance(129_000);
  await peer.ask(`58450004${token}6101ff31`);
  assert.deepEqual(log.seen, ["7", "8", "1"]);
  await world.end();
  assert.equal(log.seen.at(-1), "closed");
});

test("a confirmable notification is acknowledged when the listener is done, and not when it fails: then its copy is new again", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let fail = true;
  const log = aLog(
    () =>
      new Promise((resolve, reject) => {
        world.clock.after(500, () => (fail ? reject(new Error("disk full")) : resolve()));
      }),
  );
  const { token } = await hold(endpoint, peer, log);
  const notification = `48450001${token}6107ff37`;
  peer.send(notification);
  assert.deepEqual(await peer.ask(notification, 1_000), []);
  assert.deepEqual(log.seen, ["7"], "a copy that comes while the listener works is not delivered");
  fail = false;
  assert.deepEqual(await peer.ask(notification, 400), []);
  assert.deepEqual(await peer.listen(200), ["60000001"]);
  assert.deepEqual(log.seen, ["7", "7"]);
  assert.deepEqual(await peer.ask(notification, 100), ["60000001"]);
  await world.end();
});

// Trap 13 (traps.test.ts).
test("RFC 7641 §3.2, §4.2: an error, or a response without Observe, ends the relation; later notifications get RST", async () => {
  for (const [last, reason] of [
    ["4884", "peer-ended 4"],
    ["4845", "peer-ended 2"],
  ]) {
    const world = openWorld();
    const endpoint = world.endpoint();
    const peer = world.scripted();
    const log = aLog();
    const { token } = await hold(endpoint, peer, log);
    assert.deepEqual(await peer.ask(`${last}0001${token}ff37`), ["60000001"]);
    assert.deepEqual(await peer.ask(`48450002${token}6108ff38`), ["70000002"]);
    assert.deepEqual(log.seen, [reason]);
    await world.end();
  }
});

test("RFC 7641 §3.1: a peer that answers without Observe, or with an error, is not observed", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  for (const answer of ["45", "84"]) {
    const outcome = watch(endpoint.observe(endpoint.peerAt(deviceAddress), get, aLog().listener));
    const [request = ""] = await peer.listen();
    await peer.ask(`68${answer}${messageIdOf(request)}${tokenOf(request)}ff30`);
    const end = outcome();
    assert.ok(end?.ok);
    assert.equal(end.observing, false);
    assert.deepEqual(await peer.ask(`48450002${tokenOf(request)}6108ff38`), ["70000002"]);
  }
  await world.end();
});

test("RFC 7641 §3.6: passive cancel: the next notification gets RST, confirmable or not", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const { observation, token } = await hold(endpoint, peer, log);
  assert.deepEqual(await observation.cancel("passive"), { ok: true });
  assert.deepEqual(await peer.ask(`48450001${token}6107ff37`), ["70000001"]);
  assert.deepEqual(await peer.ask(`58450002${token}6108ff37`), ["70000002"]);
  assert.deepEqual(await peer.ask(`58450003${token}ff37`), [], "no notification: a late answer is dropped");
  assert.deepEqual(log.seen, ["cancelled"]);
  assert.deepEqual(await observation.cancel("active"), { ok: false });
  await world.end();
});

test("RFC 7641 §3.6: active cancel: the same request and token with Observe 1; a notification in between still counts", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const { observation, token } = await hold(endpoint, peer, log);
  const cancelled = watch(observation.cancel("active"));
  const [request = ""] = await peer.listen();
  assert.equal(tokenOf(request), token);
  assert.ok(request.endsWith("61015161"), request);
  assert.deepEqual(await peer.ask(`48450001${token}6107ff37`), ["60000001"]);
  assert.equal(cancelled(), undefined);
  await peer.ask(`6845${messageIdOf(request)}${token}ff30`);
  const told = cancelled();
  assert.deepEqual([told?.ok, told?.response?.payload], [true, new Uint8Array([0x30])], "with the value as it is now");
  assert.deepEqual(log.seen, ["7", "cancelled"]);
  assert.deepEqual(await peer.ask(`48450002${token}6108ff37`), ["70000002"]);
  await world.end();
});

test("RFC 7641 §3.6: an active cancel may be answered separately, and without an answer the relation is forgotten all the same", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const first = await hold(endpoint, peer, aLog());
  const separate = watch(first.observation.cancel("active"));
  const [request = ""] = await peer.listen();
  await peer.ask(`6000${messageIdOf(request)}`);
  assert.deepEqual(await peer.ask(`48450055${first.token}ff30`), ["60000055"]);
  assert.equal(separate()?.ok, true);
  const log = aLog();
  const second = await hold(endpoint, peer, log);
  const unanswered = watch(second.observation.cancel("active"));
  await world.clock.advance(100_000);
  assert.deepEqual(unanswered(), { ok: false });
  assert.deepEqual(log.seen, ["cancelled"]);
  await world.end();
});

// Trap 15 (traps.test.ts).
test("RFC 7959 §3.4: a notification larger than a block is fetched with a new token and without Observe, then acknowledged", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const { token } = await hold(endpoint, peer, log);
  // ETag aa, Observe 7, Block2 0/1/16.
  const [fetch = ""] = await peer.ask(`48450001${token}41aa2107d10408ff${"61".repeat(16)}`);
  assert.ok(fetch.startsWith("4801"), fetch);
  assert.notEqual(tokenOf(fetch), token);
  assert.ok(fetch.endsWith("b161c110"), fetch);
  assert.deepEqual(await peer.ask(`6845${messageIdOf(fetch)}${tokenOf(fetch)}41aad10610ff62`), ["60000001"]);
  assert.deepEqual(log.seen, [`${"a".repeat(16)}b`]);
  await world.end();
});

test("RFC 7959 §2.6: a newer notification ends the fetch for an older one", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const { token } = await hold(endpoint, peer, log);
  const [old = ""] = await peer.ask(`48450001${token}41aa2107d10408ff${hexOf(16)}`);
  const answers = await peer.ask(`48450002${token}41bb2108d10408ff${"62".repeat(16)}`);
  const fetch = answers.find((hex) => hex.startsWith("4801")) ?? "";
  assert.ok(answers.includes("60000001"), "superseded: the peer may stop repeating it");
  assert.deepEqual(await peer.ask(`6845${messageIdOf(old)}${tokenOf(old)}41aad10610ff61`), []);
  assert.deepEqual(await peer.ask(`6845${messageIdOf(fetch)}${tokenOf(fetch)}41bbd10610ff63`), ["60000002"]);
  assert.deepEqual(log.seen, [`${"b".repeat(16)}c`]);
  await world.end();
});

test("RFC 7641 §3.6: a relation restored after a restart goes on; one from a new address is met with silence until it is restored there", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const log = aLog();
  const token = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  endpoint.restoreObservation({ peer: endpoint.peerAt(deviceAddress), token, request: get }, log.listener);
  assert.deepEqual(await peer.ask("4845000101020304050607086107ff37"), ["60000001"]);
  const moved = { address: "198.51.100.7", port: 7 };
  world.network.rebind(deviceAddress, moved);
  assert.deepEqual(await peer.ask("4845000201020304050607086108ff38"), []);
  endpoint.restoreObservation({ peer: endpoint.peerAt(moved), token, request: get }, log.listener);
  assert.deepEqual(await peer.ask("4845000201020304050607086108ff38"), ["60000002"]);
  assert.deepEqual(log.seen, ["7", "closed", "8"]);
  await world.end();
});
