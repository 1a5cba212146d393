/**
 * What happens when a device wakes: which exchanges, in which order, with which operations in each, what each costs, and what has to
 * wait for the next time.
 *
 *   what waits --superseded are dropped--> --by priority, creation and what touches what--> one list
 *   --an operation joins an earlier exchange it may stand in--> exchanges --those that save nothing fall apart--> exchanges
 *   --window and byte budget--> those of this wake-up, those of a later one
 *
 * Pure.
 */
import { type Cost, costOf, weightOf } from "./exchange-cost.ts";
import { findShape, type Shape } from "./merged-shape.ts";
import { findSuperseded, inSendingOrder, type Superseded } from "./sending-order.ts";
import { mustStayInOrder, writeTheSame } from "./touching.ts";
import type { AwakeWindow, DeviceAbilities, ExchangeForm, Waiting } from "./waiting.ts";

export interface WakeUpPlan {
  readonly superseded: readonly Superseded[];
  readonly exchanges: readonly PlannedExchange[];
}

/**
 * Why an exchange waits for a later wake-up: `window`: it takes longer than the device listens, so it goes first in one; `budget`: the
 * bytes of this one are spent; `behind`: it has to come after one that waits.
 */
export type Postponement = "window" | "budget" | "behind";

export interface PlannedExchange {
  readonly form: ExchangeForm;
  /** At least one, in their order. */
  readonly members: readonly Waiting[];
  /** What a merged request names; empty of a single one. */
  readonly paths: Shape["paths"];
  readonly cost: Cost;
  readonly postponed: Postponement | null;
}

export function planWakeUp(waiting: readonly Waiting[], device: DeviceAbilities): WakeUpPlan {
  const superseded = findSuperseded(waiting);
  const dropped = new Set(superseded.map(({ id }) => id));
  const ordered = inSendingOrder(waiting.filter(({ id }) => !dropped.has(id)));
  return { superseded, exchanges: withPostponements(grouped(ordered, device), device.window) };
}

interface Group {
  readonly members: Waiting[];
  shape: Shape | undefined;
}

/** With whom an operation may go: with any, only with those that the same request answers, with none. */
type Company = "any" | "same" | "none";

/** Until every exchange that carries several is cheaper than they are one by one. */
function grouped(ordered: readonly Waiting[], device: DeviceAbilities): readonly PlannedExchange[] {
  const company = new Map<Waiting, Company>();
  for (const one of ordered) if (one.alone || one.asks.kind === "other") company.set(one, "none");
  for (;;) {
    const groups = joined(ordered, company, device);
    const wasteful = groups.filter(({ members, shape }) => shape !== undefined && !isCheaper(shape.cost, members, device));
    if (wasteful.length === 0) return groups.map((group) => exchangeOf(group, device));
    for (const { members } of wasteful) {
      const less: Company = members.some((member) => company.get(member) === "same") ? "none" : "same";
      for (const member of members) company.set(member, less);
    }
  }
}

function joined(ordered: readonly Waiting[], company: ReadonlyMap<Waiting, Company>, device: DeviceAbilities): readonly Group[] {
  const groups: Group[] = [];
  for (const one of ordered) {
    if (company.get(one) === "none" || !joins(one, groups, company, device)) groups.push({ members: [one], shape: undefined });
  }
  return groups;
}

/** No list and no larger Read: what is left is one request that several asked for. */
function withoutLists(device: DeviceAbilities): DeviceAbilities {
  const forms = new Set([...device.forms].filter((form) => form === "read"));
  return { ...device, forms, sizes: { ...device.sizes, atMost: () => undefined } };
}

/** Into the nearest exchange before it that takes it, past nothing that has to happen first. */
function joins(one: Waiting, groups: readonly Group[], company: ReadonlyMap<Waiting, Company>, device: DeviceAbilities): boolean {
  for (let index = groups.length - 1; index >= 0; index--) {
    const group = groups[index];
    if (group === undefined) return false;
    const [first] = group.members;
    const inTheWay = group.members.filter((member) => member.role === "acts" || mustStayInOrder(member, one));
    if (first === undefined || !inTheWay.every((member) => writeTheSame(member, one))) return false;
    const isOpen = company.get(first) !== "none" && first.asks.kind === one.asks.kind;
    const isNarrow = company.get(first) === "same" || company.get(one) === "same";
    const shape = isOpen ? findShape([...group.members, one], isNarrow ? withoutLists(device) : device) : undefined;
    if (shape === undefined && inTheWay.length > 0) return false;
    if (shape === undefined) continue;
    group.members.push(one);
    group.shape = shape;
    return true;
  }
  return false;
}

function isCheaper(merged: Cost, members: readonly Waiting[], device: DeviceAbilities): boolean {
  const apart = members.reduce((sum, { load }) => sum + weightOf(costOf(load, device)), 0);
  return weightOf(merged) < apart;
}

function exchangeOf({ members, shape }: Group, device: DeviceAbilities): PlannedExchange {
  const [first] = members;
  if (first === undefined) throw new Error("an exchange carries at least one operation");
  if (shape === undefined) return { form: "single", members, paths: [], cost: costOf(first.load, device), postponed: null };
  return { ...shape, members, postponed: null };
}

/** The same exchanges, seen from now on: what has gone over in this wake-up is in the window. */
export function withPostponements(exchanges: readonly PlannedExchange[], window: AwakeWindow | undefined): readonly PlannedExchange[] {
  let now = window;
  const waiting: Waiting[] = [];
  return exchanges.map((exchange) => {
    const { members, cost } = exchange;
    const isBehind = waiting.some((earlier) => members.some((one) => mustStayInOrder(earlier, one)));
    const postponed = isBehind ? "behind" : now === undefined ? null : findObstacle(cost, now);
    if (postponed !== null) waiting.push(...members);
    else if (now !== undefined) {
      // Its answer starts the window again.
      now = { ...now, exchanges: now.exchanges + 1, bytes: now.bytes + cost.bytesDown + cost.bytesUp, restMs: now.lengthMs };
    }
    return { ...exchange, postponed };
  });
}

/** Why an exchange may not be started now; the first of a wake-up always may, or it never would be. */
function findObstacle(cost: Cost, { exchanges, bytes, restMs, budgetBytes }: AwakeWindow): "window" | "budget" | null {
  if (exchanges === 0) return null;
  if (cost.durationMs > restMs) return "window";
  return budgetBytes !== undefined && bytes + cost.bytesDown + cost.bytesUp > budgetBytes ? "budget" : null;
}
