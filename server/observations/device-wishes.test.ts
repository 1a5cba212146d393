import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type DeviceFacts, planDevice, type StandingAt } from "./device-wishes.ts";
import { type Observation, observationId } from "./observation.ts";
import { Pace } from "./pace.ts";
import { pauseMsOf, restartLimits, strikesAfter } from "./restart-watch.ts";
import type { StandingDevice, StandingObservation } from "./standing.ts";

const path = "/3303/0/5700";
const id = observationId("a", { path });
const minuteMs = 60_000;
const nowMs = 1_000_000_000;
const registeredAt = nowMs - 5 * minuteMs;
const facts: DeviceFacts = {
  registration: { registeredAt, lwm2mVersion: "1.1" },
  isConnected: true,
  isAwake: true,
  pausedUntil: 0,
  nowMs,
  check: () => undefined,
};

function wished(standing: Partial<StandingObservation> = {}, device: Partial<StandingDevice> = {}): StandingAt {
  const none = { reason: null, coapCode: null, detail: null, retryAt: null, heldIn: null };
  return {
    standing: {
      ...{ _id: "s1", endpoint: "a", group: null, path, attributes: null, restore: "always", state: "standing", createdBy: "test" },
      ...{ createdAt: 0, updatedAt: 0, outbox: [], hasOutbox: false, rev: 1, ...standing },
    },
    device: { _id: "s1@a", standing: "s1", endpoint: "a", observation: id, state: "pending", since: 0, rev: 1, ...none, ...device },
  };
}

function held(more: Partial<Observation> = {}): Observation {
  return {
    ...{ _id: id, endpoint: "a", path, attributes: null, state: "waiting", endReason: null, coapCode: null, relation: null, since: 0 },
    ...{ fault: null, standingOnly: true, asking: null, refusal: null, failures: 0, rev: 1, outbox: [], hasOutbox: false, ...more },
  };
}

const relation = { token: "01", uri: ["3303", "0", "5700"], accept: 110, registeredAt };
const refusal = { reason: "device-rejected", coapCode: "4.05", detail: null, at: nowMs - minuteMs, retryAt: nowMs + minuteMs };
const asking = { operationId: "x", at: nowMs };

interface Case {
  readonly title: string;
  readonly standings?: readonly StandingAt[];
  readonly observations?: readonly Observation[];
  readonly facts?: Partial<DeviceFacts>;
  /** Step, then state and reason of each wish. */
  readonly expected: readonly (string | null | undefined)[];
}

const cases: readonly Case[] = [
  { title: "new", expected: ["ask", "pending", "turn"] },
  { title: "new, asleep", facts: { isAwake: false }, expected: [undefined, "pending", "wake-up"] },
  { title: "new, disconnected", facts: { isAwake: false, isConnected: false }, expected: [undefined, "pending", "connection"] },
  { title: "new, not registered", facts: { registration: undefined, isAwake: false }, expected: [undefined, "pending", "registration"] },
  { title: "new, in a pause", facts: { pausedUntil: nowMs + 1 }, expected: [undefined, "pending", "restart-loop"] },
  {
    title: "new, not in the device's version",
    facts: { check: () => ({ reason: "not-in-device-version", detail: "no" }) },
    expected: [undefined, "unsupported", "not-in-device-version"],
  },
  { title: "asked", observations: [held({ asking })], expected: [undefined, "pending", "answer"] },
  { title: "void", observations: [held()], expected: ["ask", "pending", "turn"] },
  { title: "active", observations: [held({ state: "active", relation })], expected: [undefined, "active", null] },
  {
    title: "active in the registration before",
    observations: [held({ state: "active", relation: { ...relation, registeredAt: 1 } })],
    expected: ["ask", "pending", "turn"],
  },
  {
    title: "active with other attributes",
    standings: [wished({ attributes: { pmin: 5 } })],
    observations: [held({ state: "active", relation })],
    expected: ["cancel", "pending", "turn"],
  },
  {
    title: "active with an attribute that was removed there",
    standings: [wished({ attributes: { pmin: 5 } })],
    observations: [held({ state: "active", relation, attributes: { gt: null, pmin: 5 } })],
    expected: [undefined, "active", null],
  },
  { title: "refused", observations: [held({ state: "refused", refusal })], expected: [undefined, "refused", "device-rejected"] },
  {
    title: "refused, its time over",
    observations: [held({ state: "refused", refusal: { ...refusal, retryAt: nowMs } })],
    expected: ["ask", "pending", "turn"],
  },
  {
    title: "refused in the registration before",
    observations: [held({ state: "refused", refusal: { ...refusal, at: registeredAt - 1 } })],
    expected: ["ask", "pending", "turn"],
  },
  {
    title: "silent",
    observations: [held({ refusal: { ...refusal, reason: "no-answer" } })],
    expected: [undefined, "pending", "no-answer"],
  },
  {
    title: "cancelled by an operation in this registration",
    observations: [held({ state: "ended", endReason: "cancelled", endedAt: nowMs, standingOnly: null })],
    expected: [undefined, "ended", "cancelled"],
  },
  {
    title: "cancelled by an operation before",
    observations: [held({ state: "ended", endReason: "cancelled", endedAt: 1, standingOnly: null })],
    expected: ["ask", "pending", "turn"],
  },
  {
    title: "ended by the device",
    observations: [held({ state: "ended", endReason: "device-ended", endedAt: nowMs, failures: 1 })],
    expected: [undefined, "refused", "device-ended"],
  },
  {
    title: "left, active",
    standings: [wished({}, { state: "leaving" })],
    observations: [held({ state: "active", relation })],
    expected: ["cancel"],
  },
  { title: "left, waiting", standings: [wished({}, { state: "leaving" })], observations: [held()], expected: ["remove"] },
  { title: "left, asked", standings: [wished({}, { state: "leaving" })], observations: [held({ asking })], expected: ["withdraw"] },
  {
    title: "left, but an operation wishes it",
    standings: [wished({}, { state: "leaving" })],
    observations: [held({ state: "active", relation, standingOnly: null })],
    expected: [undefined],
  },
  {
    title: "restore never, held before",
    standings: [wished({ restore: "never" }, { heldIn: 1 })],
    observations: [held()],
    expected: ["remove", "ended", "registration-ended"],
  },
  {
    title: "restore never, held now",
    standings: [wished({ restore: "never" }, { heldIn: registeredAt })],
    observations: [held({ state: "active", relation })],
    expected: [undefined, "active", null],
  },
];

for (const { title, standings = [wished()], observations = [], facts: more, expected } of cases) {
  test(`what to do next: ${title}`, () => {
    const plan = planDevice(standings, observations, { ...facts, ...more });
    const told = plan.standpoints.flatMap(({ standpoint }) => [standpoint.state, standpoint.reason]);
    assert.deepEqual([plan.step?.kind, ...told], expected);
  });
}

test("of several wishes of one target the device's own decides before a group's, an older before a newer", () => {
  const ofGroup = wished({ _id: "s0", endpoint: null, group: "g", attributes: { pmin: 1 } }, { _id: "s0@a" });
  const older = wished({ _id: "s1", attributes: { pmin: 2 } });
  const newer = wished({ _id: "s2", attributes: { pmin: 3 } }, { _id: "s2@a" });
  const { step } = planDevice([ofGroup, newer, older], [], facts);
  assert.ok(step?.kind === "ask");
  assert.deepEqual(step.wish.attributes, { pmin: 2 });
});

test("one exchange about observations is in the air at a device", () => {
  const other = "/3/0/9";
  const second = wished({ _id: "s2", path: other }, { _id: "s2@a", observation: observationId("a", { path: other }) });
  assert.equal(planDevice([wished(), second], [held({ asking })], facts).step, undefined);
});

test("strikes: a registration within five minutes of an Observe, forgiven by one that none came before, gone with one that was outlived", () => {
  const after = (strikes: number, sinceObserveMs: number | undefined, knowsAll = true) =>
    strikesAfter(strikes, { sinceObserveMs, knowsAll });
  assert.deepEqual([after(0, 0), after(2, restartLimits.windowMs), after(2, restartLimits.windowMs + 1)], [1, 3, 0]);
  assert.deepEqual([after(4, undefined), after(1, undefined), after(4, undefined, false)], [2, 0, 4]);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((strikes) => pauseMsOf(strikes) / minuteMs),
    [0, 0, 0, 1, 5, 30],
  );
  assert.equal(pauseMsOf(100), pauseMsOf(8));
});

test("pace: so many a second, in order, none lost; all are let go at the end", async () => {
  const clock = new VirtualClock();
  const pace = new Pace(clock, 10);
  const served: number[] = [];
  const startedAt = clock.now();
  for (let i = 0; i < 25; i += 1) void pace.turn().then(() => served.push(clock.now() - startedAt));
  await clock.advance(1_000);
  assert.ok(served.length >= 10 && served.length <= 11, `${served.length} in the first second`);
  await clock.advance(1_000);
  assert.ok(served.length >= 20 && served.length <= 21, `${served.length} in two`);
  pace.close();
  await clock.advance(0);
  assert.deepEqual([served.length, pace.waiting, clock.pendingTimers()], [25, 0, 0]);
});
