/** Which operations must stay in the order they were made in: what the caller saw in order happens in order. Pure. */
import { contains, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { Role, SizedValue, Waiting } from "./waiting.ts";

type Touching = Pick<Waiting, "role" | "touches">;

/** The same path or one within the other, and not both only look. */
export function mustStayInOrder(a: Touching, b: Touching): boolean {
  return mattersTo(a.role, b.role) && a.touches.some((one) => b.touches.some((other) => overlap(one, other)));
}

/** Two writes that leave the same behind wherever both write: either may stand for the other there. */
export function writeTheSame(a: Pick<Waiting, "asks">, b: Pick<Waiting, "asks">): boolean {
  if (a.asks.kind !== "write" || b.asks.kind !== "write") return false;
  const { values } = b.asks;
  return a.asks.values.every((one) => values.every((other) => !overlap(one.path, other.path) || isSame(one, other)));
}

function isSame(a: SizedValue, b: SizedValue): boolean {
  return a.text !== undefined && a.text === b.text && formatPath(a.path) === formatPath(b.path);
}

export function overlap(a: Lwm2mPath, b: Lwm2mPath): boolean {
  return contains(a, b) || contains(b, a);
}

function mattersTo(a: Role, b: Role): boolean {
  const weights = [weight[a], weight[b]];
  return weights.includes(2) || (weights[0] === 1 && weights[1] === 1);
}

/** A change matters to all, a relation to another one, a look to none. */
const weight: { readonly [role in Role]: 0 | 1 | 2 } = { looks: 0, listens: 1, changes: 2, acts: 2 };
