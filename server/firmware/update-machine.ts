/**
 * The update of one device as pure transitions (LwM2M Core 1.1 appendix E.6; the pull path).
 *
 *   pending -> preparing -look-> alreadyCurrent | resetting | offering | failed
 *   resetting -write ""--> preparing
 *   offering -write URI--> downloading -look-> downloaded | retryWait | failed
 *   downloaded, then at once applying -execute /5/0/2--> rebooting -look-> verifying -> succeeded | rolledBack | failed | lost
 *   retryWait -> preparing
 *
 * Each step looks at the device first and then does at most one thing to it. Execute is repeated only after a look that showed
 * State 2. Success is Update Result 1 and the target version, both; Result 0 alone is never success.
 */
import type { DeviceFirmware, FirmwareUpdate, UpdateFailure, UpdateState } from "./update.ts";
import { failureOfResult, isRetryable } from "./update-result.ts";

export type UpdateEvent =
  /** The clock, a contact or a served block says: go on. */
  | { readonly kind: "due" }
  | { readonly kind: "looked"; readonly seen: DeviceFirmware }
  | { readonly kind: "no-firmware-object" }
  /** The look could not be made; the device was not there. */
  | { readonly kind: "unreachable" }
  | { readonly kind: "reset-answered"; readonly detail: string }
  | { readonly kind: "offer-answered"; readonly accepted: boolean; readonly detail: string }
  /** `unknown`: it may have arrived or not; only a look tells. */
  | { readonly kind: "apply-answered"; readonly outcome: "accepted" | "rejected" | "unknown"; readonly detail: string };

export type UpdateEffect = "none" | "look" | "reset" | "offer" | "apply";

export interface UpdateStep {
  readonly state: UpdateState;
  readonly effect: UpdateEffect;
  /** When to go on without news; epoch milliseconds. Not used by final states. */
  readonly wakeAt: number;
  readonly failure?: UpdateFailure;
  readonly detail?: string;
  readonly idleLooks?: number;
  readonly staleResult?: number | null;
  readonly offerRefusal?: string;
  /** A state that was passed on the way, for the history. */
  readonly via?: UpdateState;
}

export interface UpdateLimits {
  /** Between two looks while the device works; a contact or a served block comes first (5 s). */
  readonly lookEveryMs: number;
  /** Looks without progress grow the pause up to this (60 s). */
  readonly lookAtMostEveryMs: number;
  /** An offer that the device took but does nothing about (10 min). */
  readonly offerTimeoutMs: number;
  /** A download without a new block (30 min). */
  readonly stallTimeoutMs: number;
  /** From the accepted Execute to the report (30 min). */
  readonly bootTimeoutMs: number;
  /** Before a retry; doubled each time (30 s). */
  readonly retryAfterMs: number;
  /** Offers of the same package to one device (3). */
  readonly maxAttempts: number;
  /** Executes of one download (2). */
  readonly maxApplies: number;
  /** Looks that show success without the version, before that is final (4). */
  readonly maxVerifyLooks: number;
  /** How long a pending step is left alone before it is looked after again (60 s). */
  readonly leaseMs: number;
}

export const updateLimits: UpdateLimits = {
  lookEveryMs: 5_000,
  lookAtMostEveryMs: 60_000,
  offerTimeoutMs: 600_000,
  stallTimeoutMs: 1_800_000,
  bootTimeoutMs: 1_800_000,
  retryAfterMs: 30_000,
  maxAttempts: 3,
  maxApplies: 2,
  maxVerifyLooks: 4,
  leaseMs: 60_000,
};

/** What a step needs to know of the stored update. */
export type UpdateFacts = Pick<
  FirmwareUpdate,
  "state" | "stateSince" | "targetVersion" | "attempt" | "applies" | "idleLooks" | "staleResult" | "offerRefusal" | "servedAt" | "expiresAt"
>;

export function step(update: UpdateFacts, event: UpdateEvent, limits: UpdateLimits, nowMs: number): UpdateStep {
  if (nowMs >= update.expiresAt)
    return { state: "expired", effect: "none", wakeAt: nowMs, detail: "the time allowed for the update is over" };
  const wait = waiter(update, limits, nowMs);
  switch (event.kind) {
    case "due":
      return { state: isStarting(update.state) ? "preparing" : update.state, effect: "look", wakeAt: nowMs + limits.leaseMs };
    case "unreachable":
      return timedOut(update, limits, nowMs) ?? wait(update.state);
    case "no-firmware-object":
      return fail(nowMs, "noFirmwareObject", "the device has no Firmware Update object (/5)");
    case "reset-answered":
      // Refused or not, the look decides: some devices refuse the empty URI while they are idle anyway.
      return { state: "resetting", effect: "look", wakeAt: nowMs + limits.leaseMs, detail: event.detail };
    case "offer-answered":
      // A device that has the offer already (the answer was lost) refuses it again: the look decides.
      if (!event.accepted) return { state: "offering", effect: "look", wakeAt: nowMs + limits.leaseMs, offerRefusal: event.detail };
      return { state: "downloading", effect: "none", wakeAt: nowMs + limits.lookEveryMs };
    case "apply-answered":
      return applyAnswered(update, event, limits, nowMs);
    case "looked":
      return looked(update, event.seen, limits, nowMs);
  }
}

function looked(update: UpdateFacts, seen: DeviceFirmware, limits: UpdateLimits, nowMs: number): UpdateStep {
  switch (update.state) {
    case "pending":
    case "preparing":
    case "retryWait":
    case "resetting":
      return prepare(update, seen, limits, nowMs);
    case "offering":
    case "downloading":
      return download(update, seen, limits, nowMs);
    case "downloaded":
    case "applying":
    case "rebooting":
    case "verifying":
      return verify(update, seen, limits, nowMs);
    default:
      throw new Error(`a look at a device in the final update state ${update.state}`);
  }
}

function prepare(update: UpdateFacts, seen: DeviceFirmware, limits: UpdateLimits, nowMs: number): UpdateStep {
  if (seen.version === update.targetVersion && seen.state === 0) {
    return { state: "alreadyCurrent", effect: "none", wakeAt: nowMs, detail: `the device already reports ${update.targetVersion}` };
  }
  if (seen.delivery === 1) return fail(nowMs, "pullNotSupported", "the device takes pushed packages only (/5/0/9 = 1)");
  if (seen.protocols.length > 0 && !seen.protocols.includes(0)) {
    return fail(nowMs, "protocolNotSupported", `the device fetches by ${seen.protocols.join(", ")} (/5/0/8), not by CoAP (0)`);
  }
  if (seen.state === 3) return waiter(update, limits, nowMs)("preparing", "the device is installing something else");
  const leaseEnd = nowMs + limits.leaseMs;
  if (update.state === "resetting") {
    if (seen.state !== 0) return fail(nowMs, "resetFailed", `State is still ${seen.state} after an empty Package URI was written`);
    return { state: "offering", effect: "offer", wakeAt: leaseEnd, staleResult: seen.result === 0 ? null : seen.result };
  }
  if (seen.state !== 0 || seen.result !== 0) {
    return {
      state: "resetting",
      effect: "reset",
      wakeAt: leaseEnd,
      detail: `State ${seen.state}, Update Result ${seen.result} are left from before`,
    };
  }
  return { state: "offering", effect: "offer", wakeAt: leaseEnd, staleResult: null };
}

function download(update: UpdateFacts, seen: DeviceFirmware, limits: UpdateLimits, nowMs: number): UpdateStep {
  if (seen.state === 2) return apply(limits, nowMs, "downloaded");
  // Some devices install at once (/5/0/14, or older ones of their own accord).
  if (seen.state === 3) return { state: "rebooting", effect: "none", wakeAt: nowMs + limits.lookEveryMs, idleLooks: 0 };
  if (seen.state === 1) return timedOut(update, limits, nowMs) ?? waiter(update, limits, nowMs)("downloading");
  if (seen.result !== 0 && seen.result !== update.staleResult) {
    if (seen.result === 1) return verify(update, seen, limits, nowMs);
    return retryOrFail(update, failureOfResult(seen.result), `the device reports Update Result ${seen.result}`, limits, nowMs);
  }
  if (update.offerRefusal !== null) return fail(nowMs, "offerRejected", update.offerRefusal);
  const waited = timedOut(update, limits, nowMs);
  if (waited !== undefined) return waited;
  // The offer was not acknowledged and nothing was fetched: an idle device takes the same URI again without harm.
  if (update.state === "offering" && update.servedAt === null)
    return { state: "offering", effect: "offer", wakeAt: nowMs + limits.leaseMs };
  // Idle after blocks were fetched: the device lost the download, by a restart for example.
  if (update.servedAt !== null && update.servedAt >= update.stateSince && nowMs - update.servedAt > limits.lookAtMostEveryMs) {
    return retryOrFail(update, "downloadStalled", "the device went idle in the middle of the download", limits, nowMs);
  }
  return waiter(update, limits, nowMs)("downloading");
}

function applyAnswered(
  update: UpdateFacts,
  event: Extract<UpdateEvent, { kind: "apply-answered" }>,
  limits: UpdateLimits,
  nowMs: number,
): UpdateStep {
  switch (event.outcome) {
    case "accepted":
      return { state: "rebooting", effect: "none", wakeAt: nowMs + limits.lookEveryMs, idleLooks: 0 };
    case "unknown":
      return {
        state: "applying",
        effect: "none",
        wakeAt: nowMs + limits.lookEveryMs,
        detail: "no answer to the Execute: looking at the device decides",
      };
    case "rejected":
      if (update.applies >= limits.maxApplies) return fail(nowMs, "applyRejected", event.detail);
      // A device that began by itself answers 4.05: the next look tells.
      return { state: "applying", effect: "none", wakeAt: nowMs + limits.lookEveryMs, detail: event.detail };
  }
}

function verify(update: UpdateFacts, seen: DeviceFirmware, limits: UpdateLimits, nowMs: number): UpdateStep {
  const isTarget = seen.version === update.targetVersion;
  if (seen.state === 0 && seen.result === 1 && isTarget) return { state: "succeeded", effect: "none", wakeAt: nowMs };
  if (seen.result === 8)
    return {
      state: "rolledBack",
      effect: "none",
      wakeAt: nowMs,
      failure: "result8UpdateFailed",
      detail: "the device reports Update Result 8",
    };
  if (seen.result > 1 && seen.result !== update.staleResult) {
    return retryOrFail(update, failureOfResult(seen.result), `the device reports Update Result ${seen.result}`, limits, nowMs);
  }
  if (seen.state === 2) return applyAgain(update, limits, nowMs);
  if (seen.state === 3) return timedOut(update, limits, nowMs) ?? waiter(update, limits, nowMs)("rebooting");
  // Idle without the whole proof: give the device a few looks to come up, then say what is missing.
  const looks = update.state === "verifying" ? update.idleLooks + 1 : 1;
  if (looks < limits.maxVerifyLooks) return { state: "verifying", effect: "none", wakeAt: nowMs + limits.lookEveryMs, idleLooks: looks };
  if (seen.result === 1)
    return fail(
      nowMs,
      "versionMismatch",
      `Update Result 1, but the version is ${seen.version ?? "not shown"} instead of ${update.targetVersion}`,
    );
  if (isTarget)
    return fail(
      nowMs,
      "noSuccessReport",
      `the version is ${update.targetVersion}, but the device reports Update Result ${seen.result} instead of 1`,
    );
  return {
    state: "rolledBack",
    effect: "none",
    wakeAt: nowMs,
    failure: "versionMismatch",
    detail: `the device runs ${seen.version ?? "an unknown version"} again and reports no result`,
  };
}

function applyAgain(update: UpdateFacts, limits: UpdateLimits, nowMs: number): UpdateStep {
  if (update.applies < limits.maxApplies && update.state === "applying") return apply(limits, nowMs);
  if (update.idleLooks + 1 < limits.maxVerifyLooks) {
    return { state: update.state, effect: "none", wakeAt: nowMs + limits.lookEveryMs, idleLooks: update.idleLooks + 1 };
  }
  if (update.applies < limits.maxApplies) return apply(limits, nowMs);
  return fail(nowMs, "applyIgnored", "the device stays in State 2 (Downloaded) although it accepted the Execute");
}

function apply(limits: UpdateLimits, nowMs: number, via?: UpdateState): UpdateStep {
  return { state: "applying", effect: "apply", wakeAt: nowMs + limits.leaseMs, idleLooks: 0, ...(via === undefined ? {} : { via }) };
}

/** Undefined while there is time left in this state. */
function timedOut(update: UpdateFacts, limits: UpdateLimits, nowMs: number): UpdateStep | undefined {
  const inState = nowMs - update.stateSince;
  const lastBlock = nowMs - Math.max(update.servedAt ?? 0, update.stateSince);
  switch (update.state) {
    case "offering":
    case "downloading":
      if (update.servedAt === null && inState > limits.offerTimeoutMs) {
        return retryOrFail(update, "offerIgnored", "the device took the Package URI but fetched nothing", limits, nowMs);
      }
      if (lastBlock > limits.stallTimeoutMs)
        return retryOrFail(update, "downloadStalled", "no block was fetched for too long", limits, nowMs);
      return undefined;
    case "applying":
    case "rebooting":
    case "verifying":
      if (inState <= limits.bootTimeoutMs) return undefined;
      return { state: "lost", effect: "none", wakeAt: nowMs, detail: "the device did not come back after the Execute" };
    default:
      return undefined;
  }
}

function retryOrFail(update: UpdateFacts, failure: UpdateFailure, detail: string, limits: UpdateLimits, nowMs: number): UpdateStep {
  if (!isRetryable(failure) || update.attempt >= limits.maxAttempts) return fail(nowMs, failure, detail);
  return { state: "retryWait", effect: "none", wakeAt: nowMs + limits.retryAfterMs * 2 ** (update.attempt - 1), detail, idleLooks: 0 };
}

function fail(nowMs: number, failure: UpdateFailure, detail: string): UpdateStep {
  return { state: "failed", effect: "none", wakeAt: nowMs, failure, detail };
}

/** Stays (or moves) without doing anything; each look in vain doubles the pause. */
function waiter(update: UpdateFacts, limits: UpdateLimits, nowMs: number): (state: UpdateState, detail?: string) => UpdateStep {
  return (state, detail) => {
    const idleLooks = state === update.state ? update.idleLooks + 1 : 0;
    const pauseMs = Math.min(limits.lookEveryMs * 2 ** Math.min(idleLooks, 10), limits.lookAtMostEveryMs);
    return { state, effect: "none", wakeAt: nowMs + pauseMs, idleLooks, ...(detail === undefined ? {} : { detail }) };
  };
}

function isStarting(state: UpdateState): boolean {
  return state === "pending" || state === "retryWait";
}
