/** What the machine of one update hears, knows and decides, and the decisions its parts share. */
import type { DeviceFirmware, FirmwareUpdate, UpdateFailure, UpdateState } from "./update.ts";
import type { UpdateLimits } from "./update-limits.ts";
import { maxAttemptsOf } from "./update-result.ts";

export type UpdateEvent =
  /** The clock, a contact or a served block says: go on. */
  | { readonly kind: "due" }
  | { readonly kind: "looked"; readonly seen: DeviceFirmware }
  | { readonly kind: "no-firmware-object" }
  /** The device answered the look with an error. */
  | { readonly kind: "look-refused"; readonly detail: string }
  /** The device was deleted from the registry. */
  | { readonly kind: "device-deleted" }
  /** The step could not be made; the device was not there. */
  | { readonly kind: "unreachable" }
  | { readonly kind: "reset-answered"; readonly detail: string }
  | { readonly kind: "offer-answered"; readonly accepted: boolean; readonly detail: string }
  /** `unknown`: it may have arrived or not, only a look tells; `unsent`: it never left the server. */
  | { readonly kind: "apply-answered"; readonly outcome: "accepted" | "rejected" | "unknown" | "unsent"; readonly detail: string };

export type UpdateEffect = "none" | "look" | "reset" | "offer" | "apply";

/** The decision; fields that are absent stay as they are. */
export interface UpdateStep extends Partial<Pick<FirmwareUpdate, KeptFields>> {
  readonly state: UpdateState;
  readonly effect: UpdateEffect;
  /** When to go on without news; epoch milliseconds. Not used by final states. */
  readonly wakeAt: number;
  readonly failure?: UpdateFailure;
  readonly detail?: string;
  /** A state that was passed on the way, for the history. */
  readonly via?: UpdateState;
}

type KeptFields = "idleLooks" | "staleResult" | "offerRefusal" | "applies" | "seen" | "heardSince";

/** What a step needs to know of the stored update. */
export type UpdateFacts = Pick<
  FirmwareUpdate,
  KeptFields | "state" | "stateSince" | "targetVersion" | "attempt" | "servedBytes" | "sizeBytes" | "servedAt" | "expiresAt"
>;

/** The update at a moment: what every part of the machine takes. */
export interface Moment {
  readonly update: UpdateFacts;
  readonly limits: UpdateLimits;
  readonly nowMs: number;
}

export function look({ limits, nowMs }: Moment, state: UpdateState): UpdateStep {
  return { state, effect: "look", wakeAt: nowMs + limits.leaseMs };
}

export function fail({ nowMs }: Moment, failure: UpdateFailure, detail: string): UpdateStep {
  return { state: "failed", effect: "none", wakeAt: nowMs, failure, detail };
}

export function end({ nowMs }: Moment, state: UpdateState, detail?: string): UpdateStep {
  return { state, effect: "none", wakeAt: nowMs, ...(detail === undefined ? {} : { detail }) };
}

/** Nothing to do for a while. A state that is left loses its count of vain looks. */
export function pause({ update, nowMs }: Moment, state: UpdateState, pauseMs: number, detail?: string): UpdateStep {
  const idleLooks = state === update.state ? update.idleLooks + 1 : 0;
  return { state, effect: "none", wakeAt: nowMs + pauseMs, idleLooks, ...(detail === undefined ? {} : { detail }) };
}

/** Waits as long again as nothing has moved so far: often after news, seldom after hours of silence. */
export function wait(moment: Moment, state: UpdateState, detail?: string): UpdateStep {
  const { lookEveryMs, lookAtMostEveryMs } = moment.limits;
  const quiet = state === moment.update.state ? quietMs(moment) : 0;
  return pause(moment, state, Math.min(Math.max(quiet, lookEveryMs), lookAtMostEveryMs), detail);
}

/** How long the device, awake, has moved nothing. */
export function quietMs({ update, nowMs }: Moment): number {
  return nowMs - Math.max(update.stateSince, update.servedAt ?? 0, update.heardSince ?? 0);
}

export function retryOrFail(moment: Moment, failure: UpdateFailure, detail: string): UpdateStep {
  const { update, limits, nowMs } = moment;
  if (update.attempt >= maxAttemptsOf(failure, limits)) return fail(moment, failure, detail);
  const wakeAt = nowMs + limits.retryAfterMs * 2 ** Math.max(0, update.attempt - 1);
  return { state: "retryWait", effect: "none", wakeAt, detail, idleLooks: 0, offerRefusal: null };
}
