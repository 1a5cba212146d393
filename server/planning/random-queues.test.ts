import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import type { Random } from "@lwm2m/protocol/ports/random";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { costOf, weightOf } from "./exchange-cost.ts";
import { aDevice, aRead, aSingle, aWrite, type DeviceFields } from "./plan-fixture.ts";
import { mustStayInOrder, writeTheSame } from "./touching.ts";
import type { DeviceAbilities, MergedForm, Role, Waiting } from "./waiting.ts";
import { type PlannedExchange, planWakeUp } from "./wake-up-plan.ts";

const queues = 2_000;
const longestQueue = 40;

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random.fraction() * from.length)] ?? assert.fail();
const chance = (random: Random, share: number): boolean => random.fraction() < share;

const roles: readonly Role[] = ["looks", "listens", "changes", "acts"];
const forms: readonly (readonly MergedForm[])[] = [
  ["read", "writeInstance"],
  ["read", "readComposite", "writeInstance", "writeComposite"],
  ["writeInstance"],
  ["readComposite"],
  [],
];

function aPath(random: Random): string {
  const levels = [pick(random, [1, 3, 3303]), pick(random, [0, 1]), pick(random, [0, 9, 14, 5700])];
  return `/${levels.slice(0, pick(random, [2, 3, 3, 3, 3])).join("/")}`;
}

function aWaiting(random: Random, id: string): Waiting {
  const path = aPath(random);
  const whole = path.split("/").length < 4;
  const made = pick(random, ["read", "read", "write", "write", "single"] as const);
  const base =
    made === "read"
      ? aRead(id, path, whole ? 900 : pick(random, [8, 20, 700]))
      : made === "write" && !whole
        ? aWrite(id, path, chance(random, 0.3) ? undefined : pick(random, ["1", "2"]))
        : aSingle(id, path, pick(random, roles));
  const key = chance(random, 0.1) ? { supersedeKey: pick(random, ["k1", "k2"]) } : {};
  return { ...base, ...key, priority: chance(random, 0.3) ? Math.floor(random.fraction() * 10) : 5, alone: chance(random, 0.1) };
}

function someDevice(random: Random): DeviceAbilities {
  const window = { lengthMs: 10_000, restMs: pick(random, [100, 10_000]), exchanges: pick(random, [0, 2]), bytes: pick(random, [0, 300]) };
  const budget = chance(random, 0.5) ? { budgetBytes: 500 } : {};
  const fields: DeviceFields = {
    forms: new Set(pick(random, forms)),
    mostTogether: pick(random, [1, 4, 16]),
    blockSizeBytes: pick(random, [64, 256, 1_024]),
    roundTripMs: pick(random, [20, 4_000]),
    ...(chance(random, 0.5) ? { window: { ...window, ...budget } } : {}),
    ...(chance(random, 0.5) ? { whole: pick(random, [60, 2_000]) } : {}),
  };
  return aDevice(fields);
}

/** What is wrong with the plan, in words; every rule that holds for any queue. */
function faultsOf(waiting: readonly Waiting[], device: DeviceAbilities): readonly string[] {
  const { exchanges, superseded } = planWakeUp(waiting, device);
  const places = new Map<string, number>();
  const faults: string[] = [];
  for (const [place, { members }] of exchanges.entries()) {
    for (const { id } of members) {
      if (places.has(id)) faults.push(`${id} is in two exchanges`);
      places.set(id, place);
    }
  }
  const dropped = new Set(superseded.map(({ id }) => id));
  for (const one of waiting) {
    if (places.has(one.id) === dropped.has(one.id)) faults.push(`${one.id} is ${dropped.has(one.id) ? "both sent and dropped" : "lost"}`);
    const by = superseded.find(({ id }) => id === one.id)?.by;
    if (by !== undefined && waiting.find(({ id }) => id === by)?.supersedeKey !== one.supersedeKey)
      faults.push(`${one.id} is dropped for another key`);
  }
  for (const [index, earlier] of waiting.entries()) {
    for (const later of waiting.slice(index + 1)) {
      const [before, after] = [places.get(earlier.id), places.get(later.id)];
      if (before === undefined || after === undefined || !mustStayInOrder(earlier, later)) continue;
      if (before === after && writeTheSame(earlier, later)) continue;
      if (before >= after) faults.push(`${later.id} does not come after ${earlier.id}`);
      if (exchanges[before]?.postponed !== null && exchanges[after]?.postponed === null)
        faults.push(`${later.id} goes, ${earlier.id} waits`);
    }
  }
  return [...faults, ...exchanges.flatMap((exchange) => exchangeFaults(exchange, device)), ...windowFaults(exchanges, device)];
}

function exchangeFaults({ form, members, paths, cost }: PlannedExchange, device: DeviceAbilities): readonly string[] {
  const name = `${form} ${members.map(({ id }) => id).join(" ")}`;
  if (form === "single") return members.length === 1 ? [] : [`${name}: more than one`];
  const faults: string[] = [];
  if (members.length < 2) faults.push(`${name}: only one`);
  if (!device.forms.has(form)) faults.push(`${name}: the device has not got it`);
  if (Math.max(paths.length, members.length) > device.mostTogether) faults.push(`${name}: ${paths.length} paths`);
  if (members.some(({ alone, role, asks }) => alone || asks.kind === "other" || role === "acts")) faults.push(`${name}: one goes alone`);
  if (new Set(members.map(({ asks }) => asks.kind)).size > 1) faults.push(`${name}: reads and writes`);
  if (cost.roundTrips > 1 && paths.length > 1) faults.push(`${name}: more than a block`);
  const apart = members.reduce((sum, { load }) => sum + weightOf(costOf(load, device)), 0);
  if (weightOf(cost) >= apart) faults.push(`${name}: dearer than apart`);
  return faults;
}

function windowFaults(exchanges: readonly PlannedExchange[], { window }: DeviceAbilities): readonly string[] {
  if (window === undefined) return exchanges.some(({ postponed }) => postponed !== null) ? ["awake, it waits"] : [];
  const sent = exchanges.filter(({ postponed }) => postponed === null);
  const [first, ...rest] = sent;
  if (first === undefined) return window.exchanges === 0 && exchanges.length > 0 ? ["nothing goes in a fresh wake-up"] : [];
  const faults = rest.filter(({ cost }) => cost.durationMs > window.lengthMs).map(() => "longer than the window and not the first");
  const bytes = window.bytes + sent.reduce((sum, { cost }) => sum + cost.bytesDown + cost.bytesUp, 0);
  const mayExceed = sent.length === 1 && window.exchanges === 0;
  if (window.budgetBytes !== undefined && bytes > window.budgetBytes && !mayExceed) faults.push(`${bytes} bytes of ${window.budgetBytes}`);
  return faults;
}

test(`LwM2M Core 1.1 §6.5: of ${queues} random queues every operation is in one exchange, in an order that holds, within the bounds`, () => {
  let together = 0;
  for (let seed = 1; seed <= queues; seed += 1) {
    const random = seededRandom(seed);
    const length = Math.floor(random.fraction() * longestQueue);
    const waiting = Array.from({ length }, (_, index) => aWaiting(random, String(index).padStart(3, "0")));
    const device = someDevice(random);
    const about = (): string =>
      `seed ${seed}: ${waiting.map(({ id, role, priority, touches }) => `${id} ${role} ${priority} ${touches.map(formatPath)}`).join("; ")}`;
    assert.deepEqual(faultsOf(waiting, device), [], about());
    together += planWakeUp(waiting, device).exchanges.filter(({ form }) => form !== "single").length;
  }
  assert.ok(together > queues, `only ${together} exchanges carry several`);
});

test("1,000 operations of every kind are planned within the same rules", () => {
  const random = seededRandom(77);
  const waiting = Array.from({ length: 1_000 }, (_, index) => aWaiting(random, String(index).padStart(4, "0")));
  assert.deepEqual(faultsOf(waiting, aDevice()), []);
});
