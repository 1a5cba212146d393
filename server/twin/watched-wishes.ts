/** Which devices something is wished of, and what they are known to have of it: so that most reports of most devices cost no look. */
import type { Json } from "../storage/collection.ts";
import { isJsonObject } from "../storage/json-object.ts";
import { type DesiredTwin, isSameValue } from "./desired.ts";
import type { KnownValue } from "./twin.ts";

/** What the device has, where that is settled. */
type Settled = { readonly type: string | null; readonly value: Json } | undefined;

export class WatchedWishes {
  readonly #wishes = new Map<string, ReadonlyMap<string, Settled>>();
  /** Not looked at since the start, or the look failed: made good at their next sign of life. */
  readonly #unseen = new Set<string>();

  remember({ _id: endpoint, wishes, watched }: Pick<DesiredTwin, "_id" | "wishes" | "watched">, isUnseen = false): void {
    if (!watched) {
      this.forget(endpoint);
      return;
    }
    const settled = Object.entries(wishes)
      .filter(([, { secret, state }]) => !secret || state.kind !== "held")
      .map(([path, { type, value, state }]) => [path, state.kind === "held" ? { type, value } : undefined] as const);
    this.#wishes.set(endpoint, new Map(settled));
    if (isUnseen) this.#unseen.add(endpoint);
  }

  forget(endpoint: string): void {
    this.#wishes.delete(endpoint);
    this.#unseen.delete(endpoint);
  }

  has(endpoint: string): boolean {
    return this.#wishes.has(endpoint);
  }

  isUnseen(endpoint: string): boolean {
    return this.#unseen.has(endpoint);
  }

  /** Another process may have changed it. */
  noteSeen(desired: Pick<DesiredTwin, "_id" | "wishes" | "watched">): void {
    this.remember(desired);
    this.#unseen.delete(desired._id);
  }

  noteUnseen(endpoint: string): void {
    this.#unseen.add(endpoint);
  }

  /** Whether what was learned may change what is to be done. */
  isConcerned(endpoint: string, set: ReadonlyMap<string, KnownValue>, unset: readonly string[]): boolean {
    const wishes = this.#wishes.get(endpoint);
    if (wishes === undefined || wishes.size === 0) return false;
    for (const [path, { value }] of set) if (isNews(wishes, path, value)) return true;
    return unset.some((path) => isNews(wishes, path));
  }
}

function isNews(wishes: ReadonlyMap<string, Settled>, path: string, value?: Json): boolean {
  const single = wishes.has(path) ? path : resourceOf(path);
  if (!wishes.has(single)) return false;
  const settled = wishes.get(single);
  if (settled === undefined || value === undefined || isJsonObject(settled.value)) return true;
  return !isSameValue(settled.type, settled.value, value);
}

/** `/3/0/7` of `/3/0/7/1`. */
function resourceOf(path: string): string {
  return path.split("/", 4).join("/");
}
