/**
 * One look at all wishes of a device: what is known of the device, and what became of the writes, in; what has to be written, and
 * what is worth telling, out. The diagram is in `desired.ts` (`WishState`). What a look decides is stored before it is done, so a
 * crash at any point is made good by the next look.
 */
import type { Json } from "../storage/collection.ts";
import { type ConflictPolicy, isSameValue, type Reported, type Wish } from "./desired.ts";

export interface DesiredState {
  readonly wishes: { readonly [path: string]: Wish };
  readonly writes: { readonly [path: string]: string };
}

/** What became of a write that was decided. */
export type WriteAnswer =
  | { readonly kind: "open"; readonly value: Json }
  | { readonly kind: "succeeded"; readonly value: Json }
  /** It will not be sent, and that says nothing of the device: taken back here, or its time was over. */
  | { readonly kind: "dropped" }
  | {
      readonly kind: "refused";
      readonly value: Json;
      readonly reason: string;
      readonly coapCode: string | null;
      readonly detail: string | null;
      /** Trying again would change nothing. */
      readonly isFinal: boolean;
    };

export interface Seen {
  readonly nowMs: number;
  readonly policy: ConflictPolicy;
  /** The wished value, of a secret wish too. */
  readonly wishedAt: (path: string) => Json;
  readonly reportedOf: (path: string) => Reported | undefined;
  /** By path, of every write of the state. */
  readonly answers: ReadonlyMap<string, WriteAnswer>;
  /** Which registration and instances a refusal would be by. */
  readonly againstOf: (path: string) => string;
  readonly newId: () => string;
}

export type TwinNews =
  | {
      readonly kind: "diverged";
      readonly path: string;
      readonly reason: "desired" | "reported" | "refused";
      /** Of `reported`: which side gives way; `none`: written again too often. */
      readonly resolution?: "server" | "device" | "none";
      readonly coapCode?: string | null;
      readonly detail?: string | null;
      readonly desired: Json;
      readonly reported: Json | undefined;
      readonly secret: boolean;
    }
  | {
      readonly kind: "converged";
      readonly path: string;
      readonly by: "acknowledged" | "reported" | "followed";
      readonly desired: Json;
      readonly secret: boolean;
    };

export interface Look {
  readonly state: DesiredState;
  readonly news: readonly TwinNews[];
  /** A wish followed the device: what is desired has changed. */
  readonly followed: boolean;
  readonly changed: boolean;
  readonly wakeAt: number | null;
}

/** Against a device that sets its own value over and over: after this many rewrites within the hour it is left alone. */
export const rewriteLimits = { rewrites: 5, withinMs: 3_600_000 } as const;

/** A minute, four times as long after each failure, a day at most. */
export const retryPauses = { firstMs: 60_000, factor: 4, longestMs: 86_400_000 } as const;

export function retryPauseMs(failures: number): number {
  return Math.min(retryPauses.firstMs * retryPauses.factor ** Math.min(failures - 1, 10), retryPauses.longestMs);
}

export function look(before: DesiredState, seen: Seen): Look {
  const writes = Object.fromEntries(Object.entries(before.writes).filter(([path]) => seen.answers.get(path)?.kind === "open"));
  const wishes: { [path: string]: Wish } = {};
  const news: TwinNews[] = [];
  let followed = false;
  for (const [path, wish] of Object.entries(before.wishes)) {
    const place = placeOf(path, wish, seen);
    const answered = takeAnswer(wish, place);
    const compared = compare(answered.wish, place);
    const told = compared.wish.state.kind === "pending" ? tellPending(compared.wish, place) : compared;
    wishes[path] = told.wish;
    news.push(...answered.news, ...compared.news, ...(told === compared ? [] : told.news));
    if (told.wish.state.kind === "pending" && !place.isOpen) writes[path] = seen.newId();
    if (told.wish.value !== wish.value) followed = true;
  }
  const wishesChanged = Object.entries(before.wishes).some(([path, wish]) => wishes[path] !== wish);
  const changed = wishesChanged || JSON.stringify(writes) !== JSON.stringify(before.writes);
  return { state: { wishes, writes }, news, followed, changed, wakeAt: nextTurn(Object.values(wishes)) };
}

/** Whether the write that is under way is what is wished now; another is taken back where it can be. */
export function isWanted(wish: Wish | undefined, value: Json, written: Json): boolean {
  return wish?.state.kind === "pending" && isSameValue(wish.type, value, written);
}

/** Everything one wish is judged by. */
interface Place {
  readonly path: string;
  readonly value: Json;
  readonly reported: Reported | undefined;
  readonly answer: WriteAnswer | undefined;
  /** A write to the resource may still reach the device. */
  readonly isOpen: boolean;
  readonly seen: Seen;
}

interface Judged {
  readonly wish: Wish;
  readonly news: readonly TwinNews[];
}

function placeOf(path: string, wish: Wish, seen: Seen): Place {
  const answer = seen.answers.get(path);
  // What nobody can read is in no report: one that names it all the same proves nothing.
  const reported = wish.secret ? undefined : seen.reportedOf(path);
  return { path, value: seen.wishedAt(path), reported, answer, isOpen: answer?.kind === "open", seen };
}

/** What the end of the write says of the wish: nothing, when it carried another value. */
function takeAnswer(wish: Wish, place: Place): Judged {
  const { answer, value, seen } = place;
  if (wish.state.kind !== "pending" || answer === undefined || answer.kind === "open" || answer.kind === "dropped")
    return { wish, news: [] };
  if (!isSameValue(wish.type, value, answer.value)) return { wish, news: [] };
  if (answer.kind === "succeeded") return held(wish, "acknowledged", place);
  const { reason, coapCode, detail, isFinal } = answer;
  const failures = wish.failures + 1;
  const state = {
    ...({ kind: "refused", since: wish.state.since, reason, coapCode, detail } as const),
    retryAt: isFinal ? null : seen.nowMs + retryPauseMs(failures),
    against: seen.againstOf(place.path),
  };
  const refused = { ...wish, failures, state };
  // A device that is only badly reachable is told of once.
  if (failures > 1 && !isFinal) return { wish: refused, news: [] };
  return { wish: refused, news: [diverged(refused, place, { reason: "refused", coapCode, detail })] };
}

function compare(wish: Wish, place: Place): Judged {
  const { reported, seen, answer } = place;
  const { state } = wish;
  const isSame = reported !== undefined && isSameValue(wish.type, place.value, reported.value);
  // The twin may know of an acknowledged write before the end of its operation is stored.
  const by = reported?.source === "write" ? "acknowledged" : "reported";
  switch (state.kind) {
    case "held":
      return reported === undefined || isSame ? { wish, news: [] } : resolve(wish, reported, place);
    case "pending":
      // A write of another value in the air will change what the device has.
      if (!isSame || (answer?.kind === "open" && !isSameValue(wish.type, place.value, answer.value))) return { wish, news: [] };
      return held(wish, by, place);
    case "conflict":
      return isSame ? held(wish, by, place) : { wish, news: [] };
    case "refused": {
      if (isSame) return held(wish, by, place);
      const isDue = state.retryAt === null ? state.against !== seen.againstOf(place.path) : seen.nowMs >= state.retryAt;
      return isDue ? { wish: pending(wish, state.since), news: [] } : { wish, news: [] };
    }
  }
}

function resolve(wish: Wish, reported: Reported, place: Place): Judged {
  const { policy, nowMs } = place.seen;
  const deviceIsRight = policy === "device" || (policy === "newest" && reported.observedAt > wish.changedAt);
  if (deviceIsRight) {
    const told = diverged(wish, place, { reason: "reported", resolution: "device" });
    const following: Wish = {
      ...wish,
      value: reported.value,
      changedAt: reported.observedAt,
      source: "device",
      state: { kind: "held", since: nowMs, by: "followed" },
    };
    const agreed = { kind: "converged", path: place.path, by: "followed", desired: reported.value, secret: false } as const;
    return { wish: following, news: [told, agreed] };
  }
  const rewrites = wish.rewrites.filter((at) => at > nowMs - rewriteLimits.withinMs);
  if (rewrites.length >= rewriteLimits.rewrites) {
    const left: Wish = { ...wish, rewrites, state: { kind: "conflict", since: nowMs } };
    return { wish: left, news: [diverged(left, place, { reason: "reported", resolution: "none" })] };
  }
  const again: Wish = { ...pending(wish, nowMs), rewrites: [...rewrites, nowMs] };
  return { wish: again, news: [diverged(again, place, { reason: "reported", resolution: "server" })] };
}

/** The event of a wish that is new, once it is clear that the device has something else. */
function tellPending(wish: Wish, place: Place): Judged {
  if (wish.state.kind !== "pending" || wish.state.isTold) return { wish, news: [] };
  return { wish: pending(wish, wish.state.since), news: [diverged(wish, place, { reason: "desired" })] };
}

function pending(wish: Wish, since: number): Wish {
  return { ...wish, state: { kind: "pending", since, isTold: true } };
}

/** A wish the device had from the start was never told as a difference. */
function held(wish: Wish, by: "acknowledged" | "reported", { path, value, seen }: Place): Judged {
  const wasTold = wish.state.kind !== "pending" || wish.state.isTold;
  const { secret } = wish;
  const told: TwinNews = { kind: "converged", path, by, desired: secret ? null : value, secret };
  return { wish: { ...wish, failures: 0, state: { kind: "held", since: seen.nowMs, by } }, news: wasTold ? [told] : [] };
}

function diverged(
  { secret }: Wish,
  { path, value, reported }: Place,
  why: Pick<TwinNews & { readonly kind: "diverged" }, "reason" | "resolution" | "coapCode" | "detail">,
): TwinNews {
  return { kind: "diverged", path, ...why, desired: secret ? null : value, reported: reported?.value, secret };
}

function nextTurn(wishes: readonly Wish[]): number | null {
  const turns = wishes.flatMap(({ state }) => (state.kind === "refused" && state.retryAt !== null ? [state.retryAt] : []));
  return turns.length === 0 ? null : Math.min(...turns);
}
