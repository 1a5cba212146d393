import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryNetwork } from "./memory-network.ts";
import { seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

const a = { address: "10.0.0.1", port: 1 };
const b = { address: "10.0.0.2", port: 2 };

test("virtual clock: timers fire in order of their due time, equal ones as they were set", async () => {
  const clock = new VirtualClock(0);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`late@${clock.now()}`));
  clock.after(10, () => seen.push(`first@${clock.now()}`));
  clock.after(10, () => seen.push(`second@${clock.now()}`));
  clock.after(15, () => seen.push("never")).cancel();
  clock.after(11, () => void Promise.resolve().then(() => clock.after(1, () => seen.push(`from a promise@${clock.now()}`))));
  await clock.advance(15);
  assert.deepEqual(seen, ["first@10", "second@10", "from a promise@12"]);
  assert.equal(clock.now(), 15);
  assert.equal(clock.pendingTimers(), 1);
  await clock.advance(86_400_000);
  assert.equal(seen.at(-1), "late@20");
  assert.equal(clock.pendingTimers(), 0);
});

test("virtual clock: thousands of timers, most of them cancelled, fire in the order of a sorted list", async () => {
  const clock = new VirtualClock(0);
  const random = seededRandom(5);
  const fired: number[] = [];
  const kept: { readonly dueAt: number; readonly n: number }[] = [];
  for (let n = 0; n < 5_000; n++) {
    const dueAt = random.integer(500);
    const timer = clock.after(dueAt, () => fired.push(n));
    if (random.fraction() < 0.8) {
      timer.cancel();
      timer.cancel();
    } else kept.push({ dueAt, n });
  }
  assert.equal(clock.pendingTimers(), kept.length);
  await clock.advance(500);
  const expected = kept.sort((one, other) => one.dueAt - other.dueAt || one.n - other.n).map(({ n }) => n);
  assert.deepEqual(fired, expected);
  assert.equal(clock.pendingTimers(), 0);
});

test("virtual clock: until runs exactly as long as the promise needs and says when it can never settle", async () => {
  const clock = new VirtualClock(0);
  const value = await clock.until(new Promise<string>((resolve) => clock.after(300, () => resolve("done"))));
  assert.equal(value, "done");
  assert.equal(clock.now(), 300);
  await assert.rejects(clock.until(new Promise(() => {})), /no timer is left/);
  clock.after(5_000, () => {});
  await assert.rejects(clock.until(new Promise(() => {}), 100), /not settled after 100 ms/);
});

test("seeded random: the same seed gives the same run, another seed another", () => {
  const draw = (seed: number) => [...seededRandom(seed).bytes(16)].join();
  assert.equal(draw(7), draw(7));
  assert.notEqual(draw(7), draw(8));
  const random = seededRandom(3);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4_000; i++) {
    const quarter = Math.floor(random.fraction() * 4);
    counts[quarter] = (counts[quarter] ?? 0) + 1;
  }
  assert.ok(
    counts.every((count) => count > 850 && count < 1_150),
    `uneven: ${counts}`,
  );
});

test("memory network: delivers after the delay, copies the bytes, records what was sent", async () => {
  const clock = new VirtualClock(0);
  const network = new MemoryNetwork(clock, seededRandom(1), { delayMs: 25 });
  const seen: string[] = [];
  network.socket(b).onDatagram((bytes, from) => seen.push(`${clock.now()} ${from.address} ${[...bytes]}`));
  const bytes = Uint8Array.of(1, 2);
  const sender = network.socket(a);
  sender.send(bytes, b);
  bytes[0] = 9;
  await clock.advance(24);
  assert.deepEqual(seen, []);
  await clock.advance(1);
  assert.deepEqual(seen, ["25 10.0.0.1 1,2"]);
  assert.equal(network.traffic.length, 1);
  await sender.close();
  sender.send(bytes, b);
  assert.equal(network.traffic.length, 1);
});

test("memory network: a rebound socket is seen at its new address and no longer reached at the old", async () => {
  const clock = new VirtualClock(0);
  const network = new MemoryNetwork(clock, seededRandom(1));
  const seenByB: string[] = [];
  const seenByA: number[] = [];
  const deviceSocket = network.socket(a);
  const serverSocket = network.socket(b);
  deviceSocket.onDatagram((bytes) => seenByA.push(bytes[0] ?? -1));
  serverSocket.onDatagram((_, from) => seenByB.push(`${from.address}:${from.port}`));
  network.rebind(a, { address: "198.51.100.1", port: 4_000 });
  deviceSocket.send(Uint8Array.of(1), b);
  serverSocket.send(Uint8Array.of(2), a);
  serverSocket.send(Uint8Array.of(3), { address: "198.51.100.1", port: 4_000 });
  await clock.advance(1_000);
  assert.deepEqual(seenByB, ["198.51.100.1:4000"]);
  assert.deepEqual(seenByA, [3]);
});

test("memory network: loss, duplication and reordering come at about the rate asked for, and again with the same seed", async () => {
  const run = async () => {
    const clock = new VirtualClock(0);
    const network = new MemoryNetwork(clock, seededRandom(42), { loss: 0.2, duplication: 0.1, reordering: 0.3 });
    const seen: number[] = [];
    network.socket(b).onDatagram((bytes) => seen.push(bytes[0] ?? -1));
    const sender = network.socket(a);
    for (let i = 0; i < 200; i++) {
      clock.after(i * 5, () => sender.send(Uint8Array.of(i), b));
    }
    await clock.advance(10_000);
    return seen;
  };
  const seen = await run();
  const distinct = new Set(seen).size;
  assert.ok(distinct > 130 && distinct < 190, `${distinct} of 200 arrived`);
  assert.ok(seen.length > distinct, "some arrive twice");
  assert.ok(
    seen.some((value, i) => value < (seen[i - 1] ?? 0)),
    "some are overtaken",
  );
  assert.deepEqual(await run(), seen);
});
