/**
 * What one plan looks at of very many operations that wait for a device: the oldest, and of those behind them the urgent ones with whatever
 * has to come before each. Pure.
 */
import { findPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { mustStayInOrder } from "../planning/touching.ts";
import type { Role } from "../planning/waiting.ts";
import { type Operation, usualPriority } from "./operation.ts";
import { roleOf } from "./waiting-operation.ts";

export interface Horizon {
  /** Of the oldest. */
  readonly oldest: number;
  /** Urgent ones behind those, with what comes before them. */
  readonly urgent: number;
}

interface Placed {
  readonly operation: Operation;
  readonly role: Role;
  /** Undefined: everything. */
  readonly touches: readonly Lwm2mPath[] | undefined;
}

/** `operations`: the oldest first; so is what comes back. */
export function withinHorizon(operations: readonly Operation[], { oldest, urgent }: Horizon): readonly Operation[] {
  if (operations.length <= oldest) return operations;
  const near = operations.slice(0, oldest);
  const least = Math.min(...near.map(priorityOf));
  const behind = operations.slice(oldest).map(placed);
  const wanted = behind.filter(({ operation }) => priorityOf(operation) > least);
  const taken = new Set<Placed>();
  for (const one of wanted.toSorted((a, b) => priorityOf(b.operation) - priorityOf(a.operation)).slice(0, urgent)) {
    if (taken.has(one)) continue;
    for (const each of withEarlier(one, behind, taken, urgent - taken.size) ?? []) taken.add(each);
  }
  return [...near, ...behind.filter((each) => taken.has(each)).map(({ operation }) => operation)];
}

/** And those before that they touch, and so on; what is taken already has all of its own. Undefined: they are too many. */
function withEarlier(one: Placed, behind: readonly Placed[], taken: ReadonlySet<Placed>, most: number): ReadonlySet<Placed> | undefined {
  const together = new Set([one]);
  // Sets are walked in the order of adding: what is added is looked at as well.
  for (const later of together) {
    for (const earlier of behind) {
      if (earlier.operation._id >= later.operation._id) break;
      if (together.size > most) return undefined;
      if (!taken.has(earlier) && mustPrecede(earlier, later)) together.add(earlier);
    }
  }
  return together.size > most ? undefined : together;
}

function mustPrecede(earlier: Placed, later: Placed): boolean {
  if (earlier.touches !== undefined && later.touches !== undefined)
    return mustStayInOrder({ role: earlier.role, touches: earlier.touches }, { role: later.role, touches: later.touches });
  const anywhere = [{ objectId: 0 }];
  return mustStayInOrder({ role: earlier.role, touches: anywhere }, { role: later.role, touches: anywhere });
}

function priorityOf({ priority = usualPriority }: Operation): number {
  return priority;
}

function placed(operation: Operation): Placed {
  const { kind, path, paths, values } = operation;
  const texts = values === undefined ? (paths ?? [path]) : Object.keys(values);
  const found = texts.map((text) => findPath(text));
  const touches = found.every((each) => each !== undefined) ? found.map((each) => instanceOf(each, kind)) : undefined;
  return { operation, role: roleOf(kind), touches };
}

/** An Execute has to do with its whole instance. */
function instanceOf(path: Lwm2mPath, kind: Operation["kind"]): Lwm2mPath {
  const { objectId, instanceId } = path;
  return kind === "execute" && instanceId !== undefined ? { objectId, instanceId } : path;
}
