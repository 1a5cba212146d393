import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { watch } from "../testing/watch.ts";
import { encodeBlock, findBlock } from "./block-option.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { BodySource, RequestOutcome } from "./message.ts";
import { encodeUint, OptionNumber } from "./options.ts";
import { defaultParameters } from "./parameters.ts";
import { planSlice } from "./response-slice.ts";

const reasonOf = (outcome: RequestOutcome | undefined): string | undefined => (outcome?.ok === false ? outcome.reason : undefined);
const bodyOf = (outcome: RequestOutcome | undefined): string | undefined =>
  outcome?.ok ? Buffer.from(outcome.response.payload).toString("hex") : undefined;
const hexOf = (bytes: number): string => "00".repeat(bytes);

/** The answer to a request the endpoint under test sent, as hex: 2.05 and the like, piggybacked. */
function answerTo(request: string, code: string, rest: string): string {
  return `68${code}${messageIdOf(request)}${tokenOf(request)}${rest}`;
}

test("RFC 7959 §2.2: block options, every size and the reserved exponent", () => {
  assert.deepEqual(findBlock(0x00), { number: 0, more: false, sizeBytes: 16 });
  assert.deepEqual(findBlock(0x1e), { number: 1, more: true, sizeBytes: 1_024 });
  assert.deepEqual(findBlock(0xffffff - 1), { number: 0xfffff, more: true, sizeBytes: 1_024 });
  assert.equal(findBlock(0x07), undefined);
  for (let exponent = 0; exponent < 7; exponent++) {
    for (const more of [false, true]) {
      const block = { number: 1_048_575 - exponent, more, sizeBytes: 16 << exponent };
      assert.deepEqual(findBlock(encodeBlock(block)), block);
    }
  }
});

test("RFC 7959 §2.4: which slice answers which Block2", () => {
  assert.deepEqual(planSlice(1_024, undefined, 1_024), { kind: "whole" });
  assert.deepEqual(planSlice(1_025, undefined, 1_024), {
    kind: "slice",
    offset: 0,
    length: 1_024,
    block: { number: 0, more: true, sizeBytes: 1_024 },
  });
  // A peer that asks for larger blocks than we like gets ours, at the offset it asked for.
  assert.deepEqual(planSlice(3_000, { number: 2, more: false, sizeBytes: 1_024 }, 256), {
    kind: "slice",
    offset: 2_048,
    length: 256,
    block: { number: 8, more: true, sizeBytes: 256 },
  });
  assert.deepEqual(planSlice(64, { number: 1, more: false, sizeBytes: 64 }, 1_024), { kind: "beyond" });
  assert.deepEqual(planSlice(0, { number: 0, more: false, sizeBytes: 64 }, 1_024), {
    kind: "slice",
    offset: 0,
    length: 0,
    block: { number: 0, more: false, sizeBytes: 64 },
  });
});

// Trap 18 (traps.test.ts).
test("RFC 7959 §2.5: Block1 is put together by peer, path and query, with a new token per block; every answer names the block", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const bodies: string[] = [];
  endpoint.handle((request) => {
    bodies.push(Buffer.from(request.payload).toString("hex"));
    return { code: ResponseCode.changed };
  });
  // PUT /a, Block1 (27, delta 16 → d1 03): 0/1/16, 1/1/16, 2/0/16.
  assert.deepEqual(await peer.ask(`4103000101b161d10308ff${"61".repeat(16)}`), ["615f000101d10e08"]);
  assert.deepEqual(await peer.ask(`4103000202b161d10318ff${"62".repeat(16)}`), ["615f000202d10e18"]);
  assert.deepEqual(await peer.ask("4103000303b161d10320ff63"), ["6144000303d10e20"]);
  assert.deepEqual(bodies, [`${"61".repeat(16)}${"62".repeat(16)}63`]);
  await world.end();
});

test("RFC 7959 §2.9.2: a gap, a block without a beginning, a changed Content-Format are 4.08", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle(() => assert.fail("an incomplete body reached the handler"));
  assert.deepEqual(await peer.ask(`4103000101b161d10318ff${hexOf(16)}`), ["6188000101d10e18"]);
  await peer.ask(`4103000202b161d10308ff${hexOf(16)}`);
  assert.deepEqual(await peer.ask(`4103000303b161d10328ff${hexOf(16)}`), ["6188000303d10e28"]);
  assert.deepEqual(await peer.ask(`4103000404b161112ad10218ff${hexOf(16)}`), ["6188000404d10e18"]);
  await world.end();
});

// Trap 18 (traps.test.ts).
test("RFC 7959 §2.2, §2.9.3: SZX 7 and a short middle block are 4.00, too much is 4.13 with Size1", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { requestBodyBytes: 40 } });
  const peer = world.scripted();
  endpoint.handle(() => assert.fail("reached the handler"));
  assert.deepEqual(await peer.ask(`4103000101b161d1030fff${hexOf(16)}`), ["6180000101"]);
  assert.deepEqual(await peer.ask("4101000201b161c107"), ["6180000201"]);
  assert.deepEqual(await peer.ask(`4103000301b161d10308ff${hexOf(15)}`), ["6180000301d10e08"]);
  assert.deepEqual(await peer.ask(`4103000401b161d1030aff${hexOf(64)}`), ["618d000401d10e0ad11428"]);
  // Size1 alone tells that it will be too much; NUM 2^20−1 costs no memory.
  assert.deepEqual(await peer.ask(`4103000501b161d10308d11464ff${hexOf(16)}`), ["618d000501d10e08d11428"]);
  assert.deepEqual(await peer.ask(`4103000601b161d303ffff f8ff${hexOf(16)}`), ["618d000601d30efffff8d11428"]);
  await world.end();
});

test("RFC 7959 §2.5: NUM 0 starts again, a repeated last block is not counted twice, an old body is forgotten", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { bodyAgeMs: 10_000 } });
  const peer = world.scripted();
  const sizes: number[] = [];
  endpoint.handle((request) => {
    sizes.push(request.payload.length);
    return { code: ResponseCode.changed };
  });
  await peer.ask(`4103000101b161d10308ff${hexOf(16)}`);
  await peer.ask(`4103000201b161d10308ff${hexOf(16)}`);
  await peer.ask(`4103000301b161d10318ff${hexOf(16)}`);
  assert.deepEqual(await peer.ask(`4103000401b161d10318ff${hexOf(16)}`), ["615f000401d10e18"]);
  assert.deepEqual(await peer.ask("4103000501b161d10320ff00"), ["6144000501d10e20"]);
  assert.deepEqual(sizes, [33]);
  await peer.ask(`4103000601b161d10308ff${hexOf(16)}`, 10_100);
  assert.deepEqual(await peer.ask("4103000701b161d10310ff00"), ["6188000701d10e10"]);
  await world.end();
});

test("RFC 7959 §2.5: our smaller block size stands in the first answer, and the peer may go on with it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 16 } });
  const peer = world.scripted();
  endpoint.handle((request) => ({ code: ResponseCode.changed, payload: Uint8Array.of(request.payload.length) }));
  assert.deepEqual(await peer.ask(`4103000101b161d1030aff${hexOf(64)}`), ["615f000101d10e08"]);
  assert.deepEqual(await peer.ask("4103000201b161d10340ff00"), ["6144000201d10e40ff41"]);
  await world.end();
});

test("RFC 7959 §2.4: any block of a response can be asked for alone; behind the end is an error", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const body = Uint8Array.from({ length: 40 }, (_, i) => i);
  endpoint.handle(() => ({ code: ResponseCode.content, payload: body, etag: Uint8Array.of(7) }));
  // Block2 (23, delta 12): 1/0/16, 2/0/16, 3/0/16.
  assert.deepEqual(await peer.ask("4101000101b161c110"), ["61450001014107d10618ff101112131415161718191a1b1c1d1e1f"]);
  assert.deepEqual(await peer.ask("4101000201b161c120"), ["61450002014107d10620ff2021222324252627"]);
  assert.match((await peer.ask("4101000301b161c130"))[0] ?? "", /^6182000301ff/);
  // The first one tells the size as well: Size2 28.
  assert.match((await peer.ask("4101000401b161c100"))[0] ?? "", /^61450004014107d106085128ff/);
  await world.end();
});

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

test("a body source is read at the offset asked for, one block at a time", async () => {
  const world = openWorld();
  const server = world.endpoint();
  const device = world.endpoint(deviceAddress);
  const reads: string[] = [];
  const source: BodySource = {
    sizeBytes: 2_500,
    etag: Uint8Array.of(1),
    read: async (offset, length) => {
      reads.push(`${offset}+${length}`);
      return new Uint8Array(length).fill(offset >> 10);
    },
  };
  server.handle(() => ({ code: ResponseCode.content, payload: source }));
  const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), { method: Method.get, path: ["fw"] }));
  assert.ok(outcome.ok);
  assert.equal(outcome.response.payload.length, 2_500);
  assert.deepEqual(reads, ["0+1024", "1024+1024", "2048+452"]);
  await world.end();
});

test("RFC 7959 §2.4: a changed ETag starts the fetch again once, then ends it", async () => {
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

test("RFC 7959 §3.3: a large answer to POST is kept for its later blocks and the handler runs once", async () => {
  const world = openWorld();
  const server = world.endpoint();
  const device = world.endpoint(deviceAddress);
  let runs = 0;
  server.handle((request) => {
    runs++;
    return { code: ResponseCode.content, payload: new Uint8Array(5_000).fill(request.payload.length & 0xff) };
  });
  for (const method of [Method.post, Method.fetch]) {
    const request = { method, path: ["a"], payload: new Uint8Array(3_000) };
    const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), request));
    assert.ok(outcome.ok, reasonOf(outcome));
    assert.equal(outcome.response.payload.length, 5_000);
  }
  assert.equal(runs, 2);
  await world.end();
});

test("RFC 7959: transfers of 20 kB both ways under loss, duplication and reordering, by seed", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const world = openWorld(seed, { delayMs: 40, loss: 0.1, duplication: 0.1, reordering: 0.2 });
    const server = world.endpoint();
    const device = world.endpoint(deviceAddress);
    const body = seededRandom(seed).bytes(20_000);
    const received: number[] = [];
    server.handle((request) => {
      if (request.method === Method.get) return { code: ResponseCode.content, payload: body };
      received.push(Buffer.compare(request.payload, body));
      return { code: ResponseCode.changed };
    });
    device.setParameters(device.peerAt(serverAddress), { ...defaultParameters, blockSizeBytes: 256 });
    const peer = device.peerAt(serverAddress);
    const pull = await world.clock.until(device.request(peer, { method: Method.get, path: ["fw"] }));
    assert.ok(pull.ok, `seed ${seed}: ${reasonOf(pull)}`);
    assert.equal(Buffer.compare(pull.response.payload, body), 0, `seed ${seed}`);
    const push = await world.clock.until(device.request(peer, { method: Method.post, path: ["fw"], payload: body }));
    assert.ok(push.ok, `seed ${seed}: ${reasonOf(push)}`);
    assert.deepEqual(received, [0], `seed ${seed}: the handler runs once, with the whole body`);
    await world.end();
  }
});
