import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress, type World } from "../testing/coap-world.ts";
import { messageIdOf, type ScriptedPeer, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { RequestControl, RequestOutcome } from "./message.ts";
import { defaultParameters } from "./parameters.ts";

interface Asked {
  readonly messageId: string;
  readonly token: string;
  readonly outcome: () => RequestOutcome | undefined;
}

const get = { method: Method.get, path: ["a"] } as const;

async function ask(world: World, endpoint: CoapEndpoint, peer: ScriptedPeer, control: RequestControl = {}): Promise<Asked> {
  const outcome = watch(endpoint.request(endpoint.peerAt(peer.address), get, control));
  await world.clock.advance(10);
  const hex = peer.heard.pop()?.hex ?? "";
  return { messageId: messageIdOf(hex), token: tokenOf(hex), outcome };
}

const reasonOf = (outcome: RequestOutcome | undefined): string | undefined => (outcome?.ok === false ? outcome.reason : undefined);
const payloadOf = (outcome: RequestOutcome | undefined): string | undefined =>
  outcome?.ok ? Buffer.from(outcome.response.payload).toString() : undefined;

test("RFC 7252 §5.3.1: tokens are 8 random bytes and message ids per peer count up", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const first = await ask(world, endpoint, peer);
  await peer.ask(`6845${first.messageId}${first.token}ff61`);
  const second = await ask(world, endpoint, peer);
  assert.equal(first.token.length, 16);
  assert.notEqual(first.token, second.token);
  assert.equal(Number.parseInt(second.messageId, 16), (Number.parseInt(first.messageId, 16) + 1) & 0xffff);
  assert.equal(payloadOf(first.outcome()), "a");
  await world.end();
});

// Trap 9 (traps.test.ts).
test("RFC 7252 §5.3.2: the right token from another address is not a response, and is met with silence", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const stranger = world.scripted({ address: "10.0.0.9", port: 9 });
  const asked = await ask(world, endpoint, peer);
  assert.deepEqual(await stranger.ask(`6845${asked.messageId}${asked.token}ff61`), []);
  assert.deepEqual(await stranger.ask(`48457777${asked.token}ff61`), []);
  assert.equal(asked.outcome(), undefined);
  assert.equal(world.counters.foreignAddress, 2);
  await peer.ask(`6845${asked.messageId}${asked.token}ff62`);
  assert.equal(payloadOf(asked.outcome()), "b");
  await world.end();
});

test("RFC 7252 §5.3.2: a piggybacked response must match in token and in message id", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  const otherId = ((Number.parseInt(asked.messageId, 16) + 7) & 0xffff).toString(16).padStart(4, "0");
  assert.deepEqual(await peer.ask(`6845${otherId}${asked.token}ff61`), []);
  assert.deepEqual(await peer.ask(`6845${asked.messageId}0000000000000000ff61`), []);
  assert.equal(world.counters.tokenMismatches, 1);
  assert.equal(asked.outcome(), undefined);
  await world.end();
});

// Trap 8 (traps.test.ts).
test("RFC 7252 §4.2: a duplicate piggybacked response is ignored, never answered RST", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  const answer = `6845${asked.messageId}${asked.token}ff61`;
  assert.deepEqual(await peer.ask(answer), []);
  assert.deepEqual(await peer.ask(answer), []);
  assert.equal(payloadOf(asked.outcome()), "a");
  await world.end();
});

// Trap 7 (traps.test.ts).
test("RFC 7252 §4.5, §5.2.2: a duplicate confirmable response is acknowledged again and delivered once", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  assert.deepEqual(await peer.ask(`6000${asked.messageId}`), []);
  const answer = `48450042${asked.token}ff61`;
  assert.deepEqual(await peer.ask(answer), ["60000042"]);
  assert.deepEqual(await peer.ask(answer), ["60000042"]);
  assert.equal(payloadOf(asked.outcome()), "a");
  await world.end();
});

test("RFC 7252 §5.2.2: a response that overtakes its acknowledgement ends the retransmission", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  assert.deepEqual(await peer.ask(`58450042${asked.token}ff61`), []);
  assert.equal(payloadOf(asked.outcome()), "a");
  assert.deepEqual(await peer.ask(`6000${asked.messageId}`, 100_000), []);
  await world.end();
});

// Trap 10 (traps.test.ts).
test("RFC 7252 §4.2: a message id of a response that equals one of our own requests is not its acknowledgement", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  assert.deepEqual(await peer.ask(`4845${asked.messageId}0102030405060708ff61`), [`7000${asked.messageId}`]);
  assert.equal(asked.outcome(), undefined);
  await peer.ask(`6845${asked.messageId}${asked.token}ff62`);
  assert.equal(payloadOf(asked.outcome()), "b");
  await world.end();
});

test("RFC 7252 §4.2, §4.3: an unexpected confirmable response is rejected, a non-confirmable one dropped", async () => {
  const world = openWorld();
  world.endpoint();
  const peer = world.scripted();
  assert.deepEqual(await peer.ask("4845004201020304050607 08ff61"), ["70000042"]);
  assert.deepEqual(await peer.ask("4845004201020304050607 08ff61"), ["70000042"]);
  assert.deepEqual(await peer.ask("584500430102030405060708ff61"), []);
  assert.equal(world.counters.unmatchedResponses, 3);
  await world.end();
});

test("RFC 7252 §4.2: RST fails the request, confirmable or not", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  assert.deepEqual(await peer.ask(`7000${asked.messageId}`), []);
  assert.equal(reasonOf(asked.outcome()), "reset");
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { ...get, confirmable: false }));
  const [sent = ""] = await peer.listen();
  assert.equal(sent.slice(0, 1), "5");
  await peer.ask(`7000${messageIdOf(sent)}`);
  assert.equal(reasonOf(outcome()), "reset");
  await world.end();
});

// Trap 6 (traps.test.ts).
test("RFC 7252 §5.2.2: acknowledged, but no response until the deadline", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  await peer.ask(`6000${asked.messageId}`, 246_000);
  assert.equal(asked.outcome(), undefined);
  await world.clock.advance(1_000);
  assert.equal(reasonOf(asked.outcome()), "response-timeout");
  const short = await ask(world, endpoint, peer, { timeoutMs: 5_000 });
  await world.clock.advance(5_000);
  assert.equal(reasonOf(short.outcome()), "no-answer");
  await world.end();
});

test("RFC 7252 §4.2: an acknowledgement after giving up is ignored", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, maxRetransmit: 0, ackRandomFactor: 1 } });
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  await world.clock.advance(2_000);
  assert.equal(reasonOf(asked.outcome()), "no-answer");
  assert.deepEqual(await peer.ask(`6845${asked.messageId}${asked.token}ff61`), []);
  await world.end();
});

// Trap 11 (traps.test.ts).
test("RFC 7252 §4.7: NSTART 1: the next request leaves when the one before is answered or acknowledged; the queue is bounded", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { waitingRequestsPerPeer: 2 } });
  const peer = world.scripted();
  const outcomes = Array.from({ length: 4 }, () => watch(endpoint.request(endpoint.peerAt(deviceAddress), get)));
  const [first = "", ...more] = await peer.listen();
  assert.deepEqual(more, []);
  assert.equal(reasonOf(outcomes[3]?.()), "queue-full");
  assert.equal(outcomes[3]?.()?.facts.datagramsSent, 0);
  const [second = ""] = await peer.ask(`6845${messageIdOf(first)}${tokenOf(first)}ff61`);
  const [third = ""] = await peer.ask(`6000${messageIdOf(second)}`);
  assert.notEqual(tokenOf(third), tokenOf(second));
  await peer.ask(`6845${messageIdOf(third)}${tokenOf(third)}ff63`);
  await peer.ask(`58450001${tokenOf(second)}ff62`);
  assert.deepEqual(
    outcomes.slice(0, 3).map((outcome) => payloadOf(outcome())),
    ["a", "b", "c"],
  );
  await world.end();
});

test("a signal cancels a request on the wire and one that waits; aborted before, nothing is sent", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const controllers = [new AbortController(), new AbortController()];
  const outcomes = controllers.map(({ signal }) => watch(endpoint.request(endpoint.peerAt(deviceAddress), get, { signal })));
  await peer.listen();
  for (const controller of controllers.reverse()) controller.abort();
  assert.deepEqual(await peer.listen(100_000), []);
  assert.deepEqual(
    outcomes.map((outcome) => reasonOf(outcome())),
    ["cancelled", "cancelled"],
  );
  const never = await endpoint.request(endpoint.peerAt(deviceAddress), get, { signal: AbortSignal.abort() });
  assert.equal(reasonOf(never), "cancelled");
  assert.deepEqual(await peer.listen(), []);
  await world.end();
});

test("a signal raised in onSent stops the request that was just sent", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const controller = new AbortController();
  const control = { signal: controller.signal, onSent: () => controller.abort() };
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), get, control));
  assert.equal((await peer.listen(100_000)).length, 1, "sent once, not again");
  assert.equal(reasonOf(outcome()), "cancelled");
  await world.end();
});

test("onSent runs when the first datagram was handed to the socket; facts count every datagram", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const sentAt: number[] = [];
  const asked = await ask(world, endpoint, peer, { onSent: () => sentAt.push(world.network.traffic.length) });
  await world.clock.advance(3_500);
  const hex = `6845${asked.messageId}${asked.token}ff61`;
  await peer.ask(hex);
  const outcome = asked.outcome();
  assert.ok(outcome?.ok);
  assert.deepEqual(sentAt, [1]);
  assert.equal(outcome.facts.datagramsSent, 2);
  assert.equal(outcome.facts.bytesSent, 2 * 14);
  assert.equal(outcome.facts.bytesReceived, 14);
  assert.equal(outcome.facts.roundTripMs, 3_520);
  assert.equal(Buffer.from(outcome.facts.token).toString("hex"), asked.token);
  await world.end();
});

test("RFC 7252 §5.4.1: a response with an unrecognized critical option is rejected and is no answer", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  await peer.ask(`6000${asked.messageId}`);
  assert.deepEqual(await peer.ask(`48450042${asked.token}9105ff61`), ["70000042"]);
  assert.equal(reasonOf(asked.outcome()), "invalid-response");
  await world.end();
});

// Trap 19 (traps.test.ts).
test("RFC 7252 §5.10.6, §5.4.1: ETag is bytes, unknown elective options are passed on", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  await peer.ask(`6845${asked.messageId}${asked.token}44fffe0100e2010b7778`);
  const outcome = asked.outcome();
  assert.ok(outcome?.ok);
  assert.deepEqual(outcome.response.etag, Uint8Array.of(0xff, 0xfe, 0x01, 0x00));
  assert.deepEqual(outcome.response.options, [{ number: 540, value: Uint8Array.of(0x77, 0x78) }]);
  await world.end();
});

test("RFC 9175 §2.3: a 4.01 with Echo is answered once with the same request and that value", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const asked = await ask(world, endpoint, peer);
  const challenge = (messageId: string, token: string): string => `6881${messageId}${token}d3efc0ffee`;
  const [second = ""] = await peer.ask(challenge(asked.messageId, asked.token));
  assert.ok(second.endsWith("b161" + "d3e4c0ffee"), second);
  assert.deepEqual(await peer.ask(challenge(messageIdOf(second), tokenOf(second))), []);
  const outcome = asked.outcome();
  assert.ok(outcome?.ok);
  assert.equal(outcome.response.code, 0x81);
  await world.end();
});
