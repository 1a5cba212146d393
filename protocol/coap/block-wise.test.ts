/** Bodies in blocks as the endpoint serves and takes them, and both ways at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { encodeBlock, findBlock } from "./block-option.ts";
import { hexOf, reasonOf } from "./block-wise-fixture.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { BodySource } from "./message.ts";
import { defaultParameters } from "./parameters.ts";
import { planSlice } from "./response-slice.ts";

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
