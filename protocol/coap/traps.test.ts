/**
 * What npm coap 1.5.0 and coap-packet 1.1.1 get wrong, found by running them: the reasons why this endpoint exists. Each has its
 * test; most stand beside the part they are about, marked `Trap N`, the others are here.
 *
 *   1 duplicate of a pending request runs again      13 a 2.05 without Observe counts as a notification
 *   2 duplicate after a separate response runs again 14 an observation made by FETCH is cancelled by GET
 *   3 one set of timeouts for all peers              15 a notification in blocks is never delivered
 *   4 gives up after 247 s, not 93                   16 NUM, ETag and size of later blocks go unchecked
 *   5 the timeout doubles from block to block        17 an error in mid-transfer is ignored, the next block sent
 *   6 nothing ends a request after its empty ACK     18 Block1 keyed by token, unbounded
 *   7 a repeated CON response is answered RST        19 ETags are read as text
 *   8 a repeated piggybacked one is answered RST     20 unknown critical options are ignored
 *   9 a response counts from any address             21 a ping is answered 2.05
 *  10 message ids of all peers are one space         22 malformed messages are answered, to the wrong address
 *  11 no NSTART                                      23 four kinds of malformed messages are accepted
 *  12 a rebooted device's message id is a duplicate  24 any number of bytes kept per message
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import { defaultParameters } from "./parameters.ts";

test("Trap 14, RFC 7641 §3.6, RFC 8132 §2.4: an observation made by FETCH is cancelled by the same FETCH, its body and format included", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const request = { method: Method.fetch, path: ["a"], contentFormat: 112, payload: Uint8Array.of(0x80) };
  const listener = { onNotification: () => {}, onEnd: () => {} };
  const outcome = watch(endpoint.observe(endpoint.peerAt(deviceAddress), request, listener));
  const [asked = ""] = await peer.listen();
  // FETCH is 0.05; Observe 0, Uri-Path a, Content-Format 112, body 80.
  assert.match(asked, /^4805.{20}6051611170ff80$/);
  await peer.ask(`6845${messageIdOf(asked)}${tokenOf(asked)}6105ff30`);
  const held = outcome();
  assert.ok(held?.ok && held.observing);
  const cancelled = watch(held.observation.cancel("active"));
  const [again = ""] = await peer.listen();
  assert.match(again, /^4805.{20}610151611170ff80$/);
  assert.equal(tokenOf(again), tokenOf(asked));
  await peer.ask(`6845${messageIdOf(again)}${tokenOf(again)}ff30`);
  assert.equal(cancelled()?.ok, true);
  await world.end();
});

test("Trap 17, RFC 7959 §2.5: an error in mid-transfer ends it: no further block leaves, and the caller has the error", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 64 } });
  const peer = world.scripted();
  const request = { method: Method.put, path: ["5", "0", "0"], payload: new Uint8Array(1_000) };
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), request));
  const [first = ""] = await peer.listen();
  const [second = ""] = await peer.ask(`685f${messageIdOf(first)}${tokenOf(first)}d10e0a`);
  assert.notEqual(second, "");
  assert.deepEqual(await peer.ask(`6884${messageIdOf(second)}${tokenOf(second)}`, 10_000), []);
  const ended = outcome();
  assert.equal(ended?.ok && ended.response.code, ResponseCode.notFound);
  assert.deepEqual([ended?.facts.datagramsSent, ended?.facts.bodyBytesAcknowledged], [2, 64]);
  await world.end();
});

test("Trap 22, RFC 7252 §4.2: what a malformed confirmable message is answered goes to its sender, and nobody else hears of it", async () => {
  const world = openWorld();
  world.endpoint().handle(() => assert.fail("reached the handler"));
  const peers = ["10.0.1.2", "10.0.1.3"].map((address) => world.scripted({ address, port: 1_234 }));
  const [faulty, other] = peers;
  assert.ok(faulty && other);
  assert.deepEqual(await faulty.ask("40010009ff"), ["70000009"]);
  assert.deepEqual(await other.listen(), []);
  await world.end();
});

test("Trap 23, RFC 7252 §3: reserved token lengths, options beyond the end, a marker without payload, a token cut short are rejected", async () => {
  const world = openWorld();
  world.endpoint().handle(() => assert.fail("reached the handler"));
  const peer = world.scripted();
  for (const length of [9, 10, 11, 12, 13, 14, 15]) {
    assert.deepEqual(await peer.ask(`4${length.toString(16)}010001${"00".repeat(length)}`), ["70000001"], `token length ${length}`);
  }
  for (const hex of ["40010001b561", "40010001b161ff", "4401000101", "40010001f1", "400100011f61", "40010001d1", "40010001e100"]) {
    assert.deepEqual(await peer.ask(hex), ["70000001"], hex);
  }
  await world.end();
});

test("Trap 24: what is kept for duplicates is bounded per peer and in all, and answers to safe requests give way first", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { rememberedReplyBytes: 1_000 } });
  const peer = world.scripted();
  let runs = 0;
  endpoint.handle(() => {
    runs++;
    return { code: ResponseCode.content, payload: new Uint8Array(300) };
  });
  for (let id = 1; id <= 6; id++) await peer.ask(`4001000${id}`);
  assert.equal(runs, 6);
  // The first answers fit the bound and are repeated; the last ones are made anew (RFC 7252 §4.5).
  assert.equal((await peer.ask("40010001"))[0]?.length, 2 * (4 + 1 + 300));
  assert.equal(runs, 6);
  assert.equal((await peer.ask("40010006"))[0]?.length, 2 * (4 + 1 + 300));
  assert.equal(runs, 7);
  await world.end();
});
