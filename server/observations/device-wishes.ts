/** What is wished at one device, how each wish stands, and the next thing to do about it. Pure. */
import type { CreateRefusal, OperationRequest } from "../operations/operation.ts";
import type { Registration } from "../registration/registration.ts";
import { type Observation, targetOf } from "./observation.ts";
import type { Wish } from "./observation-store.ts";
import {
  type Attributes,
  haveSameAttributes,
  heldAttributes,
  type StandingDevice,
  type StandingObservation,
  type Standpoint,
} from "./standing.ts";

export interface StandingAt {
  readonly device: StandingDevice;
  readonly standing: StandingObservation;
}

export interface DeviceFacts {
  readonly registration: Pick<Registration, "registeredAt" | "lwm2mVersion"> | undefined;
  readonly isConnected: boolean;
  readonly isAwake: boolean;
  /** Epoch milliseconds. */
  readonly pausedUntil: number;
  readonly nowMs: number;
  /** Why the device's version or objects do not allow it. */
  readonly check: (request: OperationRequest) => CreateRefusal | undefined;
}

export type Step =
  | { readonly kind: "ask"; readonly wish: Wish; readonly present: Observation | undefined }
  /** To be cancelled: nobody wishes it, or with other attributes. */
  | { readonly kind: "cancel"; readonly present: Observation }
  | { readonly kind: "remove"; readonly present: Observation }
  /** Asked for, and not wished any more: the request is withdrawn if it has not left. */
  | { readonly kind: "withdraw"; readonly present: Observation };

export interface NewStandpoint {
  readonly device: StandingDevice;
  readonly standpoint: Standpoint;
  readonly heldIn: number | null;
}

export interface DevicePlan {
  readonly step: Step | undefined;
  readonly standpoints: readonly NewStandpoint[];
  /** Those that hold nothing any more. */
  readonly left: readonly StandingDevice[];
  /** When to look again though nothing happens. */
  readonly nextAt: number | undefined;
  /** Something is to be done as soon as the device is heard. */
  readonly expects: boolean;
  /** Wishes of operations that the device does not allow now. */
  readonly faults: readonly { readonly observation: Observation; readonly detail: string }[];
}

interface Wished {
  readonly wish: Wish;
  readonly present: Observation | undefined;
  readonly by: readonly StandingAt[];
}

interface Verdict {
  readonly standpoint: Standpoint;
  readonly step?: Step;
}

export function planDevice(standings: readonly StandingAt[], observations: readonly Observation[], facts: DeviceFacts): DevicePlan {
  const over = standings.filter(({ device, standing }) => isOver(device, standing, facts));
  const wishes = wishesOf(
    standings.filter((each) => !over.includes(each) && each.device.state !== "leaving"),
    observations,
  );
  const verdicts = [...wishes.values()].map((wished) => ({ wished, verdict: verdictOn(wished, facts) }));
  const unwished = observations.filter(({ _id, standingOnly }) => standingOnly === true && !wishes.has(_id));
  const release = unwished.flatMap((present) => releaseOf(present));
  // What is not wished goes first: the device forgets before it learns.
  const wanted = [...release, ...verdicts.flatMap(({ verdict: { step } }) => (step === undefined ? [] : [step]))];
  // One exchange about observations is in the air at a time.
  const isAsking = observations.some(({ asking }) => asking);
  const steps = isAsking ? wanted.filter(({ kind }) => kind === "withdraw" || kind === "remove") : wanted;
  const settled = verdicts.flatMap(({ wished, verdict: { standpoint } }) =>
    wished.by.map(({ device }) => ({
      device,
      standpoint,
      heldIn: standpoint.state === "active" ? (facts.registration?.registeredAt ?? null) : device.heldIn,
    })),
  );
  const ended = over.map(({ device }) => ({ device, standpoint: plain("ended", "registration-ended"), heldIn: device.heldIn }));
  const open = new Set(unwished.map(({ _id }) => _id));
  const times = verdicts.flatMap(({ verdict: { standpoint } }) => standpoint.retryAt ?? []);
  return {
    step: steps[0],
    standpoints: [...settled, ...ended],
    left: standings.map(({ device }) => device).filter(({ state, observation }) => state === "leaving" && !open.has(observation)),
    nextAt: times.length === 0 ? undefined : Math.min(...times),
    expects: verdicts.some(({ verdict: { standpoint } }) => standpoint.state === "pending"),
    faults: verdicts.flatMap(({ wished: { wish, present }, verdict: { standpoint } }) =>
      standpoint.state !== "unsupported" || wish.standingOnly || present === undefined || standpoint.detail === null
        ? []
        : [{ observation: present, detail: standpoint.detail }],
    ),
  };
}

/** `restore: never`: what was held once goes with its registration. */
function isOver({ heldIn, state }: StandingDevice, { restore }: StandingObservation, { registration }: DeviceFacts): boolean {
  return restore === "never" && state !== "leaving" && heldIn !== null && heldIn !== registration?.registeredAt;
}

/** An operation on this device speaks before standing observations of it, and those before such of groups; the older one first. */
function wishesOf(standings: readonly StandingAt[], observations: readonly Observation[]): ReadonlyMap<string, Wished> {
  const wishes = new Map<string, Wished>();
  for (const present of observations) {
    if (present.standingOnly === true || present.state === "ended") continue;
    const { _id, endpoint, attributes } = present;
    wishes.set(_id, { wish: { _id, endpoint, ...targetOf(present), attributes, standingOnly: false }, present, by: [] });
  }
  const ranked = standings.toSorted((a, b) => rankOf(a.standing) - rankOf(b.standing) || (a.standing._id < b.standing._id ? -1 : 1));
  for (const each of ranked) {
    const before = wishes.get(each.device.observation);
    const present = observations.find(({ _id }) => _id === each.device.observation);
    const { attributes } = each.standing;
    const target = { _id: each.device.observation, endpoint: each.device.endpoint, ...targetOf(each.standing) };
    const { wish, by } = before ?? { wish: { ...target, attributes, standingOnly: true }, by: [] };
    wishes.set(each.device.observation, { wish, present, by: [...by, each] });
  }
  return wishes;
}

function rankOf({ group }: StandingObservation): number {
  return group === null ? 0 : 1;
}

function verdictOn({ wish, present, by }: Wished, facts: DeviceFacts): Verdict {
  const { registration, nowMs, pausedUntil } = facts;
  if (present?.asking) return { standpoint: plain("pending", "answer") };
  if (registration === undefined) return { standpoint: plain("pending", "registration") };
  if (present?.state === "active" && present.relation?.registeredAt === registration.registeredAt) {
    if (by.length === 0 || !wish.standingOnly || haveSameAttributes(wish.attributes, present.attributes))
      return { standpoint: plain("active") };
    // Effects of attributes on a running observation are undefined, so it is cancelled and asked for anew (LwM2M Core 1.2 §5.1.2).
    const step = facts.isAwake ? { step: { kind: "cancel", present } as const } : {};
    return { standpoint: plain("pending", facts.isAwake ? "turn" : obstacle(facts)), ...step };
  }
  const refusal = facts.check(requestFor(wish, present, registration.lwm2mVersion));
  if (refusal !== undefined) return { standpoint: { ...plain("unsupported", refusal.reason), detail: refusal.detail } };
  const stop = findStop(present, registration.registeredAt, nowMs);
  if (stop !== undefined) return { standpoint: stop };
  if (pausedUntil > nowMs) return { standpoint: { ...plain("pending", "restart-loop"), detail: restartWords, retryAt: pausedUntil } };
  const detail = present?.silentSince ? silentWords : null;
  if (!facts.isAwake) return { standpoint: { ...plain("pending", obstacle(facts)), detail } };
  return { standpoint: { ...plain("pending", "turn"), detail }, step: { kind: "ask", wish, present } };
}

const restartWords = "The device restarts each time it is asked to observe, so it is left in peace for a while.";

const silentWords = "Its notifications stay away for longer than they may, so it is asked for anew.";

function obstacle({ isConnected }: DeviceFacts): string {
  return isConnected ? "wake-up" : "connection";
}

/** Why it is not asked for in this registration, or not yet. */
function findStop(present: Observation | undefined, registeredAt: number, nowMs: number): Standpoint | undefined {
  if (present === undefined) return undefined;
  const { state, endReason, coapCode, endedAt = null, refusal = null, failures = 0 } = present;
  if (state === "ended") {
    // Whoever cancels it means it; until the device starts anew.
    if (endReason === "cancelled") return (endedAt ?? 0) >= registeredAt ? plain("ended", "cancelled") : undefined;
    if (endReason === "withdrawn") return undefined;
    const retryAt = (endedAt ?? 0) + retryAfterMs("refused", failures);
    const isNew = (endedAt ?? 0) < registeredAt;
    return isNew || retryAt <= nowMs ? undefined : { ...plain("refused", "device-ended"), coapCode, retryAt };
  }
  if (refusal === null || refusal.at < registeredAt || refusal.retryAt <= nowMs) return undefined;
  const { reason, coapCode: refusedWith, detail, retryAt } = refusal;
  return { state: state === "refused" ? "refused" : "pending", reason, coapCode: refusedWith, detail, retryAt };
}

function releaseOf(present: Observation): readonly Step[] {
  if (present.asking) return [{ kind: "withdraw", present }];
  return [{ kind: present.relation === null ? "remove" : "cancel", present }];
}

/** The operation that asks for it. A 1.0 or 1.1 device keeps attributes at the path: those that do not hold any more are removed. */
export function requestFor(
  { path, paths, attributes, standingOnly }: Wish,
  present: Observation | undefined,
  lwm2mVersion: string,
): OperationRequest {
  const kept = present === undefined || lwm2mVersion >= "1.2" || !standingOnly ? {} : heldAttributes(present.attributes);
  const surplus = Object.keys(kept).filter((name) => attributes?.[name] === undefined);
  const asked: Attributes = { ...attributes, ...Object.fromEntries(surplus.map((name) => [name, null])) };
  return {
    kind: paths === undefined ? "observe" : "observeComposite",
    ...targetOf(paths === undefined ? { path } : { path, paths }),
    ...(Object.keys(asked).length === 0 ? {} : { attributes: asked }),
  };
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** What a device refused may have been mended in it; who was silent may be back. */
const retries: { readonly [state in "refused" | "waiting"]: readonly number[] } = {
  refused: [10 * minuteMs, hourMs, 6 * hourMs, 24 * hourMs],
  waiting: [minuteMs, 10 * minuteMs, hourMs, 6 * hourMs],
};

/** After so many failures in a row, at least one. */
export function retryAfterMs(state: "refused" | "waiting", failures: number): number {
  const steps = retries[state];
  return steps[Math.min(Math.max(failures, 1), steps.length) - 1] ?? hourMs;
}

function plain(state: Standpoint["state"], reason: string | null = null): Standpoint {
  return { state, reason, coapCode: null, detail: null, retryAt: null };
}
