import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld } from "../testing/coap-world.ts";
import { messageIdOf, type ScriptedPeer, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { ServedObservation } from "./message.ts";
import type { HeldObservation, ObservationListener } from "./observation.ts";
import { isNewer } from "./observe-order.ts";

const get = { method: Method.get, path: ["a"] } as const;
const hexOf = (bytes: number): string => "00".repeat(bytes);

interface Log {
  readonly seen: string[];
  readonly listener: ObservationListener;
}

function aLog(onNotification: () => void | Promise<void> = () => {}): Log {
  const seen: string[] = [];
  return {
    seen,
    listener: {
      onNotification: (response) => {
        seen.push(Buffer.from(response.payload).toString());
        return onNotification();
      },
      onEnd: (reason, last) => seen.push(last === undefined ? reason : `${reason} ${(last.code >> 5).toString()}`),
    },
  };
}

interface Held {
  readonly token: string;
  readonly observation: HeldObservation;
}

/** A relation whose first answer was Observe 5. */
async function hold(endpoint: CoapEndpoint, peer: ScriptedPeer, log: Log): Promise<Held> {
  const outcome = watch(endpoint.observe(endpoint.peerAt(peer.address), get, log.listener));
  const [request = ""] = await peer.listen();
  assert.match(request, /^4801.{20}605161$/);
  await peer.ask(`6845${messageIdOf(request)}${tokenOf(request)}6105ff30`);
  const observed = outcome();
  assert.ok(observed?.ok && observed.observing);
  return { token: tokenOf(request), observation: observed.observation };
}

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
  assert.deepEqual(cancelled(), { ok: true });
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
  assert.deepEqual(separate(), { ok: true });
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

/** An endpoint that grants every Observe 0; the relations in order. */
function serve(endpoint: CoapEndpoint): { relations: ServedObservation[]; ended: number[] } {
  const relations: ServedObservation[] = [];
  const ended: number[] = [];
  endpoint.handle(() => ({
    code: ResponseCode.content,
    payload: Uint8Array.of(0x30),
    acceptObserve: (relation) => {
      const place = relations.push(relation) - 1;
      relation.onEnd(() => ended.push(place));
    },
  }));
  return { relations, ended };
}

const content = (text: string) => ({ code: ResponseCode.content, payload: Buffer.from(text) });

test("RFC 7641 §4.1, §4.4: relations are numbered each by itself; the same token registers again, Observe 1 ends it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  assert.deepEqual(await peer.ask("41010001aa605161"), ["61450001aa6101ff30"]);
  assert.deepEqual(await peer.ask("41010002bb605161"), ["61450002bb6101ff30"]);
  void relations[0]?.notify(content("1"), false);
  void relations[0]?.notify(content("2"), false);
  void relations[1]?.notify(content("3"), false);
  const bodies = (await peer.listen()).map((hex) => tokenOf(hex) + hex.slice(10));
  assert.deepEqual(bodies.sort(), ["aa6102ff31", "aa6103ff32", "bb6102ff33"]);
  assert.deepEqual(await peer.ask("41010003aa605161"), ["61450003aa6104ff30"]);
  assert.deepEqual(ended, [0]);
  assert.deepEqual(await relations[0]?.notify(content("x"), false), { ok: false, reason: "closed" });
  assert.deepEqual(await peer.ask("41010004aa61015161"), ["61450004aaff30"]);
  assert.deepEqual(ended, [0, 2]);
  await world.end();
  assert.deepEqual(ended, [0, 2, 1]);
});

test("RFC 7641 §3.6, §4.5: RST ends a relation, for CON and for NON; without an acknowledgement it ends as given up", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  for (const id of ["01", "02", "03", "04"]) await peer.ask(`410100${id}${id}605161`);
  const rejected = watch(relations[0]?.notify(content("1"), true) ?? Promise.reject());
  const [confirmable = ""] = await peer.listen();
  await peer.ask(`7000${messageIdOf(confirmable)}`);
  assert.deepEqual(rejected(), { ok: false, reason: "reset" });
  void relations[1]?.notify(content("2"), false);
  const [plain = ""] = await peer.listen();
  await peer.ask(`7000${messageIdOf(plain)}`);
  assert.deepEqual(ended, [0, 1]);
  const taken = watch(relations[2]?.notify(content("3"), true) ?? Promise.reject());
  const [third = ""] = await peer.listen();
  await peer.ask(`6000${messageIdOf(third)}`);
  assert.deepEqual(taken(), { ok: true });
  const lost = watch(relations[3]?.notify(content("4"), true) ?? Promise.reject());
  await world.clock.advance(100_000);
  assert.deepEqual(lost(), { ok: false, reason: "timeout" });
  assert.deepEqual(ended, [0, 1, 3]);
  await world.end();
});

test("RFC 7641 §4.2: an error notification carries no Observe and ends the relation", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  await peer.ask("41010001aa605161");
  void relations[0]?.notify({ code: ResponseCode.notFound }, false);
  const [last = ""] = await peer.listen();
  assert.match(last, /^5184....aa$/);
  assert.deepEqual(ended, [0]);
  await world.end();
});

test("RFC 7641 and RFC 7959: notifications of 3 kB between two endpoints under loss arrive whole and in order, by seed", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const world = openWorld(seed, { delayMs: 30, loss: 0.1, duplication: 0.1, reordering: 0.1 });
    const server = world.endpoint();
    const device = world.endpoint(deviceAddress);
    let value = 0;
    const body = (): Uint8Array => new Uint8Array(3_000).fill(value);
    let relation: ServedObservation | undefined;
    device.handle(() => ({
      code: ResponseCode.content,
      payload: body(),
      acceptObserve: (granted) => {
        relation = granted;
      },
    }));
    const seen: number[] = [];
    const listener: ObservationListener = {
      onNotification: (response) => {
        assert.equal(new Set(response.payload).size, 1, "no mixture of two states");
        assert.equal(response.payload.length, 3_000);
        seen.push(response.payload[0] ?? -1);
      },
      onEnd: () => {},
    };
    const outcome = await world.clock.until(server.observe(server.peerAt(deviceAddress), get, listener));
    assert.ok(outcome.ok && outcome.observing, `seed ${seed}`);
    for (value = 1; value <= 5; value++) {
      const sent = await world.clock.until(relation?.notify({ code: ResponseCode.content, payload: body() }, true) ?? Promise.reject());
      assert.deepEqual(sent, { ok: true }, `seed ${seed}`);
    }
    await world.clock.advance(1_000);
    assert.deepEqual(seen, [1, 2, 3, 4, 5], `seed ${seed}`);
    await world.end();
  }
});
