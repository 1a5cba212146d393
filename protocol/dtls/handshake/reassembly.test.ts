import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { HandshakeType } from "../constants.ts";
import { Reassembly } from "./reassembly.ts";

const bounds = { largestMessageBytes: 16_384, mostMessagesAhead: 16 };
const { certificate, finished, clientKeyExchange, serverHelloDone } = HandshakeType;

function piece(sequence: number, body: Uint8Array, from: number, to: number, type: number = certificate) {
  return { type, length: body.length, sequence, fragmentOffset: from, bytes: body.subarray(from, to) };
}

function bodyOf(length: number, seed = 1): Uint8Array {
  return seededRandom(seed).bytes(length);
}

test("RFC 6347 §4.2.3: fragments of every size, in order, backwards and doubled, make the message", () => {
  const body = bodyOf(97);
  for (let size = 1; size <= 97; size++) {
    const pieces = Array.from({ length: Math.ceil(97 / size) }, (_, i) => piece(0, body, i * size, Math.min(97, (i + 1) * size)));
    for (const order of [pieces, pieces.toReversed(), pieces.flatMap((each) => [each, each])]) {
      const reassembly = new Reassembly(bounds, 0);
      for (const each of order) {
        assert.deepEqual(reassembly.place(each, 0), "kept");
      }
      assert.deepEqual(reassembly.take(), { type: certificate, sequence: 0, body, epoch: 0 });
      assert.equal(reassembly.heldBytes, 0);
    }
    const unfinished = new Reassembly(bounds, 0);
    for (const each of pieces.slice(1)) unfinished.place(each, 0);
    assert.equal(unfinished.take(), undefined);
  }
});

test("RFC 6347 §4.2.3: overlaps by chance make the message; what came first stays", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const body = bodyOf(1 + random.integer(300), seed);
    const reassembly = new Reassembly(bounds, 5);
    let message = reassembly.peek();
    for (let i = 0; message === undefined && i < 5_000; i++) {
      const from = random.integer(body.length);
      reassembly.place(piece(5, body, from, from + 1 + random.integer(40)), 0);
      message = reassembly.peek();
    }
    assert.deepEqual(message?.body, body, `seed ${seed}`);
  }
  const body = Uint8Array.of(1, 2, 3, 4);
  const other = Uint8Array.of(9, 9, 9, 9);
  const reassembly = new Reassembly(bounds, 0);
  reassembly.place(piece(0, body, 0, 3), 0);
  reassembly.place(piece(0, other, 1, 4), 0);
  assert.deepEqual(reassembly.take()?.body, Uint8Array.of(1, 2, 3, 9));
});

test("RFC 6347 §4.2.2: messages come out in their order, however they came in", () => {
  const reassembly = new Reassembly(bounds, 3);
  const bodies = [bodyOf(10, 1), bodyOf(20, 2), bodyOf(0, 3)];
  for (const index of [2, 1, 0]) {
    assert.equal(reassembly.take(), undefined);
    const body = bodies[index];
    assert.ok(body);
    reassembly.place(piece(3 + index, body, 0, body.length, index === 2 ? serverHelloDone : certificate), 0);
  }
  assert.deepEqual(
    [0, 1, 2, 3].map(() => reassembly.take()?.sequence),
    [3, 4, 5, undefined],
  );
  assert.equal(reassembly.place(piece(5, bodyOf(1), 0, 1), 0), "old");
});

test("RFC 6347 §4.2.2: only so many messages ahead are kept, and never more bytes than one message may have", () => {
  const reassembly = new Reassembly(bounds, 0);
  const body = bodyOf(1_500);
  assert.equal(reassembly.place(piece(17, body, 0, 1), 0), "ignored");
  for (let sequence = 1; sequence <= 16; sequence++) reassembly.place(piece(sequence, body, 0, 1), 0);
  assert.ok(reassembly.heldBytes <= 16_384 * (9 / 8));
  // The next one has its place nevertheless.
  assert.equal(reassembly.place(piece(0, bodyOf(16_384), 0, 16_384), 0), "kept");
  assert.ok(reassembly.heldBytes <= 16_384 * (9 / 8));
  assert.equal(reassembly.take()?.body.length, 16_384);
});

test("a fragment that contradicts the message, or makes no progress, is ignored", () => {
  const body = bodyOf(50);
  const reassembly = new Reassembly(bounds, 0);
  assert.equal(reassembly.place(piece(0, body, 10, 10), 0), "ignored");
  assert.equal(reassembly.heldBytes, 0);
  reassembly.place(piece(0, body, 0, 20), 0);
  const held = reassembly.heldBytes;
  assert.equal(reassembly.place(piece(0, body, 20, 50, clientKeyExchange), 0), "ignored");
  assert.equal(reassembly.place(piece(0, bodyOf(49), 20, 49), 0), "ignored");
  assert.equal(reassembly.place(piece(0, body, 20, 50), 1), "ignored");
  assert.deepEqual([reassembly.heldBytes, reassembly.take()], [held, undefined]);
  assert.equal(reassembly.place(piece(0, body, 20, 50), 0), "kept");
  assert.deepEqual(reassembly.take()?.body, body);
});

test("a message longer than its type can be is refused when it is next, and not kept when it is ahead", () => {
  const reassembly = new Reassembly(bounds, 0);
  for (const [type, length] of [
    [certificate, 16_385],
    [clientKeyExchange, 1_025],
    [finished, 13],
    [serverHelloDone, 1],
  ] as const) {
    const fragment = { type, length, sequence: 0, fragmentOffset: 0, bytes: bodyOf(1) };
    assert.equal(reassembly.place(fragment, type === finished ? 1 : 0), "too-large");
    assert.equal(reassembly.place({ ...fragment, sequence: 1 }, type === finished ? 1 : 0), "ignored");
  }
  assert.equal(reassembly.heldBytes, 0);
});

test("RFC 6347 §4.1: ahead of its time only Finished is taken from epoch 1, and only from there", () => {
  const reassembly = new Reassembly(bounds, 0);
  const body = bodyOf(12);
  assert.equal(reassembly.place(piece(1, body, 0, 12, finished), 0), "ignored");
  assert.equal(reassembly.place(piece(1, body, 0, 12, clientKeyExchange), 1), "ignored");
  assert.equal(reassembly.place(piece(1, body, 0, 12, finished), 1), "kept");
});
