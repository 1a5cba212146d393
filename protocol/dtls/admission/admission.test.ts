import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { defaultDtlsLimits } from "../endpoint/limits.ts";
import { HandshakeAdmission } from "./handshake-admission.ts";
import { WorkTurns } from "./work-turns.ts";

test("work turns: at once while the slice lasts, then in order, a slice at a time; what finds no place is dropped", async () => {
  const clock = new VirtualClock(0);
  let elapsed = 0;
  const turns = new WorkTurns(clock, () => elapsed, { sliceMs: 2, mostWaiting: 5 });
  const done: number[] = [];
  const job = (number: number) => () => {
    elapsed += 1;
    done.push(number);
  };
  const outcomes = Array.from({ length: 9 }, (_, number) => turns.take(job(number)));
  assert.deepEqual(outcomes, ["done", "done", "waits", "waits", "waits", "waits", "waits", "dropped", "dropped"]);
  assert.deepEqual(done, [0, 1]);
  await clock.advance(0);
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(turns.waiting, 0);
  assert.equal(clock.pendingTimers(), 0);
  elapsed += 100;
  assert.equal(turns.take(job(7)), "done");
  turns.take(job(8));
  turns.take(job(9));
  turns.close();
  assert.equal(turns.take(job(10)), "dropped");
  assert.equal(clock.pendingTimers(), 0);
});

test("admission: a rate with its burst, places per address and prefix that come back, bytes over all", () => {
  const limits = {
    ...defaultDtlsLimits,
    handshakesPerSecond: 10,
    handshakeBurst: 4,
    handshakesPerAddress: 2,
    handshakesPerPrefix: 3,
    handshakeBytes: 100,
  };
  const admission = new HandshakeAdmission(limits, seededRandom(1));
  const at = (address: string) => ({ address, port: 1 });
  assert.equal(admission.begin(at("10.0.0.1"), 0), "ok");
  assert.equal(admission.begin(at("10.0.0.1"), 0), "ok");
  assert.equal(admission.begin(at("10.0.0.1"), 0), "busy");
  assert.equal(admission.begin(at("10.0.0.2"), 0), "ok");
  assert.equal(admission.begin(at("10.0.0.3"), 0), "busy", "the third of its /24");
  assert.equal(admission.begin(at("10.0.1.3"), 0), "ok");
  assert.equal(admission.begin(at("10.0.2.3"), 0), "rate");
  assert.equal(admission.begin(at("10.0.2.3"), 101), "ok");
  admission.ended(at("10.0.0.1"));
  assert.equal(admission.begin(at("10.0.0.1"), 300), "ok");
  admission.hold(100);
  assert.equal(admission.begin(at("10.7.0.1"), 1_000), "busy");
  assert.equal(admission.hasRoom(1), false);
  admission.hold(-100);
  assert.equal(admission.begin(at("2001:db8:0:1::1"), 2_000), "ok");
  assert.equal(admission.underWay, 6);
});

test("admission: cookies to one prefix are bounded, those to others are not", () => {
  const admission = new HandshakeAdmission({ ...defaultDtlsLimits, cookiesPerPrefixPerSecond: 5 }, seededRandom(1));
  const answered = (address: string, now: number) =>
    Array.from({ length: 20 }, () => admission.mayAnswerHello({ address, port: 1 }, now)).filter(Boolean).length;
  assert.equal(answered("10.0.0.1", 0), 5);
  assert.equal(answered("10.0.0.200", 0), 0);
  assert.equal(answered("10.0.9.1", 0), 5);
  assert.equal(answered("2001:db8::1", 0), 5);
  assert.equal(answered("10.0.0.1", 1_000), 5);
});
