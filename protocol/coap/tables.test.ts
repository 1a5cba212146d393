import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { DeadlineQueue } from "../timing/deadline-queue.ts";
import { DedupTable, endOfChain, hashOfDatagram } from "./dedup-table.ts";
import { type PeerRecord, PeerTable, peerKeyOf } from "./peer-table.ts";
import { ReplySlab } from "./reply-slab.ts";
import { SendTurn } from "./send-turn.ts";

test("deadlines: a thousand random ones, half of them cancelled, fire at their time and in order, behind one timer of the clock", async () => {
  const clock = new VirtualClock(0);
  const queue = new DeadlineQueue(clock);
  const random = seededRandom(5);
  const fired: number[] = [];
  const expected: number[] = [];
  for (let i = 0; i < 1_000; i++) {
    const delay = random.integer(10_000);
    const deadline = queue.after(delay, () => {
      assert.equal(clock.now(), delay);
      fired.push(delay);
    });
    if (random.fraction() < 0.5) deadline.cancel();
    else expected.push(delay);
    assert.equal(clock.pendingTimers(), 1);
  }
  await clock.advance(10_000);
  assert.deepEqual(
    fired,
    expected.sort((left, right) => left - right),
  );
  assert.equal(queue.size, 0);
  queue.after(50, () => assert.fail("closed"));
  queue.close();
  queue.after(50, () => assert.fail("closed"));
  assert.equal(clock.pendingTimers(), 0);
});

test("RFC 7252 §4.5: the table of seen messages against a plain model, with expiry, release and a bound per peer", () => {
  const mostPerPeer = 8;
  const lifetime = 100;
  const table = new DedupTable(mostPerPeer);
  const random = seededRandom(9);
  const peers = Array.from({ length: 5 }, () => ({ dedupOwner: 0, dedupHead: endOfChain, dedupTail: endOfChain, dedupCount: 0 }));
  const models = peers.map((): { id: number; hash: number; until: number; answer: string | undefined }[] => []);
  let now = 0;
  for (let round = 0; round < 20_000; round++) {
    now += random.integer(12);
    const which = random.integer(peers.length);
    const peer = peers[which];
    const model = models[which];
    if (peer === undefined || model === undefined) throw new Error("no such peer");
    const id = random.integer(14);
    const hash = random.integer(2);
    const entry = table.claim(peer, id, hash, now, lifetime);
    for (let i = model.length - 1; i >= 0; i--) if ((model[i]?.until ?? 0) <= now) model.splice(i, 1);
    const known = model.find((candidate) => candidate.id === id);
    assert.equal(table.fresh, known === undefined || known.hash !== hash);
    assert.equal(table.reused, known !== undefined && known.hash !== hash);
    const answer = table.findAnswer(entry);
    assert.equal(answer === undefined ? undefined : Buffer.from(answer).toString(), table.fresh ? undefined : known?.answer);
    if (table.fresh) {
      const fresh = { id, hash, until: now + lifetime, answer: undefined };
      if (known !== undefined) model.splice(model.indexOf(known), 1);
      if (model.length === mostPerPeer) model.pop();
      model.unshift(fresh);
    }
    const current = model.find((candidate) => candidate.id === id);
    const serial = table.serialOf(entry);
    if (random.fraction() < 0.5 && current !== undefined) {
      current.answer = "x".repeat(1 + random.integer(700)) + round;
      table.answer(entry, serial, Buffer.from(current.answer));
      table.answer(entry, serial - 1, Buffer.from("of an entry that has gone"));
    } else if (random.fraction() < 0.1) {
      table.release(peer, entry, serial);
      model.splice(
        model.findIndex((candidate) => candidate.id === id),
        1,
      );
    }
    assert.equal(peer.dedupCount, model.length);
  }
  for (const peer of peers) table.forget(peer);
  assert.equal(table.storedReplyBytes, 0);
});

test("two datagrams that differ in length, head or tail have different hashes", () => {
  const bytes = new Uint8Array(1_200);
  const hashes = new Set([hashOfDatagram(bytes), hashOfDatagram(bytes.subarray(1))]);
  for (const place of [0, 5, 190, 191, 1_136, 1_150, 1_199]) {
    const other = bytes.slice();
    other[place] = 1;
    hashes.add(hashOfDatagram(other));
  }
  assert.equal(hashes.size, 9);
});

test("replies: slots are reused, and what is too large for any is not stored", () => {
  const slab = new ReplySlab();
  const first = slab.store(Buffer.from("one"));
  const second = slab.store(Buffer.alloc(200, 2));
  assert.equal(Buffer.from(slab.read(first, 3)).toString(), "one");
  assert.equal(slab.storedBytes, 16 + 256);
  slab.release(first);
  assert.equal(slab.store(Buffer.from("two")), first);
  assert.deepEqual(Buffer.from(slab.read(second, 200)), Buffer.alloc(200, 2));
  assert.equal(slab.store(new Uint8Array(5_000)), -1);
});

test("peers: equal addresses have equal keys, others never", () => {
  const key = (address: string, port: number): string | number => peerKeyOf({ address, port });
  assert.equal(key("127.0.0.1", 5_683), 0x7f000001 * 65_536 + 5_683);
  assert.equal(key("255.255.255.255", 65_535), 2 ** 48 - 1);
  assert.equal(key("::1", 5_683), "[::1]:5683");
  assert.equal(key("fe80::1%eth0", 1), "[fe80::1%eth0]:1");
  assert.notEqual(key("10.0.0.1", 2), key("10.0.0.2", 1));
  assert.notEqual(key("1.2.3", 4), key("0.1.2.3", 4));
  const association = { key: -7, identity: undefined, serverName: undefined, fresh: true };
  assert.equal(peerKeyOf({ address: "10.0.0.1", port: 2, association }), -7);
  assert.equal(peerKeyOf({ address: "10.0.0.9", port: 9, association }), -7);
});

test("bound: the peer heard from longest ago makes room, one with something open does not", () => {
  const dropped: string[] = [];
  const table = new PeerTable(
    3,
    () => 0,
    (record, evicted) => dropped.push(`${record.address.port}${evicted ? " evicted" : ""}`),
  );
  const at = (port: number, now: number): PeerRecord => table.at({ address: "10.0.0.1", port }, now, now - 100);
  at(1, 0).holds = 1;
  at(2, 1);
  at(3, 2);
  at(4, 3);
  assert.deepEqual(dropped, ["2 evicted"]);
  assert.equal(table.size, 3);
  at(5, 200);
  assert.deepEqual(dropped, ["2 evicted", "3"]);
  assert.equal(at(1, 200).holds, 1);
});

test("RFC 7252 §4.7: the turn goes in order, a transfer that goes on goes first, who leaves the queue is skipped", () => {
  const turn = new SendTurn();
  const log: string[] = [];
  const [a, b, c] = [{}, {}, {}];
  turn.take(a, () => log.push("a"));
  turn.take(b, () => log.push("b"));
  turn.take(c, () => log.push("c"));
  turn.take(a, () => log.push("a again"));
  turn.leave(b);
  turn.leave(a);
  turn.take(a, () => log.push("a first"), true);
  turn.take(b, () => log.push("b"));
  turn.leave(c);
  turn.leave(a);
  turn.leave(b);
  assert.deepEqual(log, ["a", "a again", "c", "a first", "b"]);
  assert.equal(turn.idle, true);
});

test("RFC 7252 §4.5: three thousand peers with the same message ids are kept apart, also while the table grows", () => {
  const table = new DedupTable(4);
  const peers = Array.from({ length: 3_000 }, () => ({ dedupOwner: 0, dedupHead: endOfChain, dedupTail: endOfChain, dedupCount: 0 }));
  const ids = [0, 1, 0xffff];
  for (const id of ids) {
    for (const [which, peer] of peers.entries()) {
      const entry = table.claim(peer, id, which, 0, 100);
      assert.ok(table.fresh && !table.reused);
      table.answer(entry, table.serialOf(entry), Buffer.from(`${which}/${id}`));
    }
  }
  for (const [which, peer] of peers.entries()) {
    for (const id of ids) {
      const entry = table.claim(peer, id, which, 99, 100);
      assert.equal(table.fresh, false);
      assert.equal(Buffer.from(table.findAnswer(entry) ?? []).toString(), `${which}/${id}`);
    }
    if (which % 2 === 0) table.forget(peer);
  }
  for (const [which, peer] of peers.entries()) {
    table.claim(peer, 1, which, 99, 100);
    assert.equal(table.fresh, which % 2 === 0);
  }
});
