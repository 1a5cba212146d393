import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld } from "../testing/coap-world.ts";
import { watch } from "../testing/watch.ts";
import { Method } from "./codes.ts";

test("RFC 7252 §4.3: a ping is an empty confirmable message; RST says that the peer is there, and so does ACK", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  for (const answer of ["70", "60"]) {
    const outcome = watch(endpoint.ping(endpoint.peerAt(peer.address)));
    await world.clock.advance(10);
    const hex = peer.heard.pop()?.hex ?? "";
    assert.match(hex, /^4000....$/);
    await peer.ask(`${answer}00${hex.slice(4)}`);
    const ended = outcome();
    assert.ok(ended?.ok && ended.roundTripMs > 0, JSON.stringify(ended));
  }
  await world.end();
});

test("RFC 7252 §4.2: a ping is resent, and gives up after MAX_TRANSMIT_WAIT or at its deadline; another message id is no answer", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const silent = watch(endpoint.ping(endpoint.peerAt(peer.address)));
  await world.clock.advance(10);
  const first = peer.heard[0]?.hex ?? "";
  const other = (Number.parseInt(first.slice(4), 16) ^ 1).toString(16).padStart(4, "0");
  await peer.ask(`7000${other}`);
  await world.clock.advance(93_000);
  assert.deepEqual(silent(), { ok: false, reason: "no-answer" });
  assert.equal(peer.heard.filter(({ hex }) => hex === first).length, 4, "and the first");
  const hasty = watch(endpoint.ping(endpoint.peerAt(peer.address), { timeoutMs: 1_000 }));
  await world.clock.advance(1_000);
  assert.deepEqual(hasty(), { ok: false, reason: "no-answer" });
  await world.end();
});

test("RFC 7252 §4.7: a ping waits for its turn, and so does what comes after it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const to = endpoint.peerAt(peer.address);
  const before = watch(endpoint.request(to, { method: Method.get, path: ["a"] }));
  const pinged = watch(endpoint.ping(to));
  const after = watch(endpoint.request(to, { method: Method.get, path: ["b"] }));
  await world.clock.advance(10);
  const heard = peer.heard.splice(0).map(({ hex }) => hex);
  assert.equal(heard.length, 1);
  const rejected = (hex: string | undefined): Promise<readonly string[]> => peer.ask(`7000${hex?.slice(4, 8)}`);
  const [pinging, ...more] = await rejected(heard[0]);
  assert.equal(before()?.ok, false, "RST to a request");
  assert.deepEqual([pinging?.slice(0, 4), more], ["4000", []]);
  const [asking] = await rejected(pinging);
  assert.equal(pinged()?.ok, true);
  assert.match(asking ?? "", /^4801.*b162$/);
  await rejected(asking);
  assert.equal(after()?.ok, false);
  await world.end();
});

test("a ping ends as cancelled with its signal and with its endpoint", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const to = endpoint.peerAt(peer.address);
  const abort = new AbortController();
  const aborted = watch(endpoint.ping(to, { signal: abort.signal }));
  const waiting = watch(endpoint.ping(to));
  abort.abort();
  await world.clock.advance(10);
  assert.deepEqual(aborted(), { ok: false, reason: "cancelled" });
  assert.equal(peer.heard.length, 2, "the next one left");
  await endpoint.close();
  await world.clock.advance(10);
  assert.deepEqual(waiting(), { ok: false, reason: "cancelled" });
  assert.deepEqual(await endpoint.ping(to), { ok: false, reason: "cancelled" });
  await world.end();
});
