/** Bodies in blocks as the endpoint asks for them and sends them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { encodeBlock } from "./block-option.ts";
import { answerTo, bodyOf, hexOf, reasonOf } from "./block-wise-fixture.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { RequestOutcome } from "./message.ts";
import { encodeUint, OptionNumber } from "./options.ts";
import { defaultParameters } from "./parameters.ts";

test("RFC 7959 §2.4: a caller that names a block gets that block alone, as it came", async () => {
  const world = openWorld();
  const server = world.endpoint();
  const device = world.endpoint(deviceAddress);
  const body = Uint8Array.from({ length: 100 }, (_, i) => i);
  server.handle(() => ({ code: ResponseCode.content, payload: body }));
  const blockOf = async (number: number): Promise<RequestOutcome> => {
    const options = [{ number: OptionNumber.block2, value: encodeUint(encodeBlock({ number, more: false, sizeBytes: 32 })) }];
    return world.clock.until(device.request(device.peerAt(serverAddress), { method: Method.get, path: ["fw"], options }));
  };
  for (const number of [2, 0, 3, 1]) {
    const outcome = await blockOf(number);
    assert.ok(outcome.ok);
    assert.deepEqual(Buffer.from(outcome.response.payload), Buffer.from(body.subarray(number * 32, (number + 1) * 32)));
    assert.equal(outcome.facts.datagramsSent, 1);
  }
  const behind = await blockOf(4);
  assert.ok(behind.ok && behind.response.code === ResponseCode.badOption);
  await world.end();
});

test("RFC 7959 §2.4: a representation that changes each time is fetched from the start four times, then it is an answer that cannot be used", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.get, path: ["a"] }));
  let [asked = ""] = await peer.listen();
  for (let version = 1; version <= 5; version++) {
    assert.equal(outcome(), undefined);
    const [second = ""] = await peer.ask(answerTo(asked, "45", `410${version}d10608ff${hexOf(16)}`));
    assert.ok(second.endsWith("b161c110"), second);
    [asked = ""] = await peer.ask(answerTo(second, "45", "41bbd10610ff01"));
  }
  assert.equal(asked, "");
  assert.equal(reasonOf(outcome()), "invalid-response");
  await world.end();
});

test("RFC 7959 §2.4: a changed ETag starts the fetch again", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.get, path: ["a"] }));
  const [first = ""] = await peer.listen();
  const [second = ""] = await peer.ask(answerTo(first, "45", `41aad10608ff${hexOf(16)}`));
  assert.ok(second.endsWith("b161c110"), second);
  assert.notEqual(tokenOf(second), tokenOf(first));
  const [again = ""] = await peer.ask(answerTo(second, "45", "41bbd10610ff01"));
  assert.ok(again.endsWith("b161c100") || again.endsWith("b161c0"), again);
  const [last = ""] = await peer.ask(answerTo(again, "45", `41bbd10608ff${hexOf(16)}`));
  await peer.ask(answerTo(last, "45", "41bbd10610ff02"));
  assert.equal(bodyOf(outcome()), `${hexOf(16)}02`);
  await world.end();
});

test("RFC 7959 §2.4: an ETag with one of the blocks only, as small stacks send it, says nothing of a change", async () => {
  for (const [one, other] of [
    ["41aa", ""],
    ["", "41aa"],
  ]) {
    const world = openWorld();
    const endpoint = world.endpoint();
    const peer = world.scripted();
    const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.get, path: ["a"] }));
    const [first = ""] = await peer.listen();
    const [second = ""] = await peer.ask(answerTo(first, "45", `${one}${one === "" ? "d10a" : "d106"}08ff${hexOf(16)}`));
    await peer.ask(answerTo(second, "45", `${other}${other === "" ? "d10a" : "d106"}10ff01`));
    assert.equal(bodyOf(outcome()), `${hexOf(16)}01`);
    await world.end();
  }
});

// Trap 16 (traps.test.ts).
test("RFC 7959 §2.2, §2.4: a wrong number, a short middle block, a missing Block2, too much: invalid-response, no wrong body", async () => {
  const full = `ff${hexOf(16)}`;
  const cases: readonly (readonly string[])[] = [
    [`d10a18${full}`],
    [`d10a08ff${hexOf(15)}`],
    [`d10a08${full}`, `d10a28${full}`],
    [`d10a08${full}`, `d10a08${full}`],
    [`d10a08${full}`, "ff01"],
    [`d10a08${full}`, `d10a18${full}`, `d10a28${full}`],
    ["d10a0fff00"],
  ];
  for (const answers of cases) {
    const world = openWorld();
    const endpoint = world.endpoint(serverAddress, { limits: { responseBodyBytes: 40 } });
    const peer = world.scripted();
    const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.get, path: ["a"] }));
    let [request = ""] = await peer.listen();
    for (const answer of answers) [request = ""] = await peer.ask(answerTo(request, "45", answer));
    assert.equal(reasonOf(outcome()), "invalid-response", answers.join());
    assert.equal(request, "", "nothing more is asked");
    await world.end();
  }
});

// Trap 5 (traps.test.ts).
test("RFC 7959 §2.5: Block1 out: a smaller size is taken up from the byte offset, the retransmission time starts anew per block", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 64, ackRandomFactor: 1 } });
  const peer = world.scripted();
  const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload }));
  const [first = ""] = await peer.listen();
  assert.ok(first.includes("b161d1030ad11464ff00"), first);
  // 2.31 with Block1 0/1/32: go on at byte 64 = block 2 of 32.
  let [block = ""] = await peer.ask(answerTo(first, "5f", "d10e09"));
  assert.ok(block.includes("d10329ff40"), block);
  assert.deepEqual(await peer.listen(1_800), []);
  assert.deepEqual(await peer.listen(200), [block], "resent after 2 s");
  [block = ""] = await peer.ask(answerTo(block, "5f", "d10e29"));
  assert.ok(block.includes("d10331ff60"), block);
  assert.deepEqual(await peer.listen(1_800), []);
  assert.deepEqual(await peer.listen(200), [block], "2 s again, not 4");
  await peer.ask(answerTo(block, "44", "d10e31"));
  assert.ok(outcome()?.ok);
  await world.end();
});

test("RFC 7959 §2.3: 2.31 without Block1, as small stacks send it, is for the block under way; a final code without it is no success", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 64 } });
  const peer = world.scripted();
  const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
  for (const [code, reason] of [
    ["5f", undefined],
    ["44", "invalid-response"],
  ]) {
    const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload }));
    const [first = ""] = await peer.listen();
    const [second = ""] = await peer.ask(answerTo(first, code ?? "", ""));
    assert.equal(second.includes("d10312ff40"), reason === undefined, second);
    if (reason === undefined) await peer.ask(answerTo(second, "44", ""));
    assert.equal(reasonOf(outcome()), reason);
  }
  await world.end();
});

test("RFC 7959 §2.9.3, §2.9.2: 4.13 with a smaller block starts again in that size, 4.08 once as it was; other errors end it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const payload = new Uint8Array(1_000);
  const run = (): (() => RequestOutcome | undefined) =>
    watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload }));
  const first = run();
  let [request = ""] = await peer.listen();
  assert.ok(!request.includes("b161d103"), "it fits one message");
  [request = ""] = await peer.ask(answerTo(request, "8d", "d10e0d"));
  assert.ok(request.includes("b161d1030dd21403e8ff"), request);
  [request = ""] = await peer.ask(answerTo(request, "5f", "d10e0d"));
  [request = ""] = await peer.ask(answerTo(request, "88", ""));
  assert.ok(request.includes("b161d1030dd21403e8ff"), "from the start");
  [request = ""] = await peer.ask(answerTo(request, "88", ""));
  assert.equal(request, "");
  const ended = first();
  assert.ok(ended?.ok);
  assert.equal(ended.response.code, ResponseCode.requestEntityIncomplete);

  const second = run();
  [request = ""] = await peer.listen();
  assert.deepEqual(await peer.ask(answerTo(request, "84", "")), []);
  const refused = second();
  assert.equal(refused?.ok && refused.response.code, ResponseCode.notFound);
  await world.end();
});

test("RFC 7959 §2.9.3: 4.13 that names no block size is tried again in smaller blocks, down to 64 bytes; with a Size1 below the body it is final", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const run = (length: number): (() => RequestOutcome | undefined) =>
    watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload: new Uint8Array(length) }));
  const outcome = run(1_000);
  let [request = ""] = await peer.listen();
  [request = ""] = await peer.ask(answerTo(request, "8d", ""));
  // Block1 0, more, 128 bytes: 0b; Size1 1,000.
  assert.ok(request.includes("b161d1030bd21403e8ff"), request);
  [request = ""] = await peer.ask(answerTo(request, "8d", ""));
  assert.ok(request.includes("b161d1030ad21403e8ff"), request);
  assert.deepEqual(await peer.ask(answerTo(request, "8d", "")), []);
  const ended = outcome();
  assert.equal(ended?.ok && ended.response.code, ResponseCode.requestEntityTooLarge);

  const tooLarge = run(1_000);
  [request = ""] = await peer.listen();
  // Size1 512.
  assert.deepEqual(await peer.ask(answerTo(request, "8d", "d22f0200")), []);
  assert.equal(tooLarge()?.ok, true);

  const tiny = run(20);
  [request = ""] = await peer.listen();
  assert.deepEqual(await peer.ask(answerTo(request, "8d", "")), []);
  assert.equal(tiny()?.ok, true);
  await world.end();
});

test("RFC 7959 §2.3: success before the whole body went out is no success", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 64 } });
  const peer = world.scripted();
  const run = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload: new Uint8Array(200) }));
  const [request = ""] = await peer.listen();
  await peer.ask(answerTo(request, "44", ""));
  assert.equal(reasonOf(run()), "invalid-response");
  await world.end();
});

test("RFC 7959 §2: a caller hears of each block that is asked for because the one before has come, both ways, and of nothing else", async () => {
  const world = openWorld();
  const server = world.endpoint();
  const device = world.endpoint(deviceAddress);
  const body = Uint8Array.from({ length: 3_000 }, (_, i) => i);
  server.handle(({ payload }) => ({
    code: payload.length > 0 ? ResponseCode.changed : ResponseCode.content,
    payload: payload.length > 0 ? new Uint8Array() : body,
  }));
  const movesOf = async (payload: Uint8Array, path: string): Promise<number> => {
    let moves = 0;
    const request = { method: payload.length > 0 ? Method.put : Method.get, path: [path], payload };
    const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), request, { onMoved: () => moves++ }));
    assert.ok(outcome.ok);
    return moves;
  };
  assert.equal(await movesOf(new Uint8Array(), "a"), 2, "three blocks of 1,024");
  assert.equal(await movesOf(body, "b"), 2);
  assert.equal(await movesOf(body.subarray(0, 10), "c"), 0, "one message");
  await world.end();
});
