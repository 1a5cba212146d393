/** The order of what waits: by priority, then by creation, and nothing before an earlier operation that it touches. Pure. */
import { mustStayInOrder } from "./touching.ts";
import type { Waiting } from "./waiting.ts";

export interface Superseded {
  readonly id: string;
  /** The newest with the same key. */
  readonly by: string;
}

/** What a newer operation with the same key takes the place of. */
export function findSuperseded(waiting: readonly Pick<Waiting, "id" | "supersedeKey">[]): readonly Superseded[] {
  const newest = new Map<string, string>();
  for (const { id, supersedeKey } of waiting) {
    if (supersedeKey !== undefined && id > (newest.get(supersedeKey) ?? "")) newest.set(supersedeKey, id);
  }
  return waiting.flatMap(({ id, supersedeKey = "" }) => {
    const by = newest.get(supersedeKey);
    return by === undefined || by === id ? [] : [{ id, by }];
  });
}

/** An operation of high priority takes those along that have to happen before it. */
export function inSendingOrder(waiting: readonly Waiting[]): readonly Waiting[] {
  const byCreation = [...waiting].sort((a, b) => (a.id < b.id ? -1 : 1));
  const left = new Set(byCreation);
  const ordered: Waiting[] = [];
  const place = (one: Waiting): void => {
    left.delete(one);
    // Sets keep the order of creation: what follows is younger.
    for (const earlier of left) {
      if (earlier.id > one.id) break;
      if (mustStayInOrder(earlier, one)) place(earlier);
    }
    ordered.push(one);
  };
  for (const one of [...byCreation].sort((a, b) => b.priority - a.priority)) if (left.has(one)) place(one);
  return ordered;
}
