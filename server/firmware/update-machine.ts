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
 * State 2. Success is Update Result 1 and the target version, both; Result 0 alone is never success. The device shows Result 0
 * again when a download begins, so a Result that was there before the offer says nothing until another one was seen.
 *
 * `update-download.ts` has the rules up to State 2, `update-install.ts` those after it.
 */
import type { DeviceFirmware } from "./update.ts";
import { download, offerAnswered, prepare } from "./update-download.ts";
import { applyAnswered, verify } from "./update-install.ts";
import type { UpdateLimits } from "./update-limits.ts";
import { end, fail, look, type Moment, type UpdateEvent, type UpdateFacts, type UpdateStep, wait } from "./update-step.ts";

export function step(update: UpdateFacts, event: UpdateEvent, limits: UpdateLimits, nowMs: number): UpdateStep {
  const moment: Moment = { update, limits, nowMs };
  const over = overdue(moment, event);
  if (over !== undefined) return over;
  switch (event.kind) {
    case "due":
      return look(moment, update.state === "pending" || update.state === "retryWait" ? "preparing" : update.state);
    case "looked": {
      const heard = hear(moment, event.seen);
      return { ...heard, ...looked({ ...moment, update: { ...update, ...heard } }, event.seen) };
    }
    case "device-deleted":
      return fail(moment, "deviceDeleted", "the device was deleted");
    case "no-firmware-object":
      // After the Execute it may be between two firmwares.
      return isInstalling(update) ? silence(moment) : fail(moment, "noFirmwareObject", "the device has no Firmware Update object (/5)");
    case "look-refused":
      return lookRefused(moment, event.detail);
    case "unreachable":
      return silence(moment);
    case "reset-answered":
      // Refused or not, the look decides: some devices refuse the empty URI while they are idle anyway.
      return { ...look(moment, "resetting"), idleLooks: 0, detail: event.detail };
    case "offer-answered":
      return offerAnswered(moment, event);
    case "apply-answered":
      return applyAnswered(moment, event);
  }
}

/** The time allowed ends what can be taken back. What is being installed has the time of a restart, and a last look before that. */
function overdue(moment: Moment, event: UpdateEvent): UpdateStep | undefined {
  const { update, nowMs } = moment;
  if (nowMs < update.expiresAt || isInstalling(update)) return undefined;
  const mayRun = update.state === "applying" && update.applies > 0;
  const hasRun = event.kind === "apply-answered" && event.outcome !== "unsent" && event.outcome !== "rejected";
  if (hasRun || (mayRun && (event.kind === "due" || event.kind === "looked"))) return undefined;
  if (mayRun && event.kind === "unreachable") return end(moment, "lost", "the device did not come back after the Execute");
  return end(moment, "expired", "the time allowed for the update is over");
}

function isInstalling({ state }: UpdateFacts): boolean {
  return state === "rebooting" || state === "verifying";
}

/** A look after a long silence starts the time anew in which the device has to do something: it was asleep. */
function hear({ update, limits }: Moment, seen: DeviceFirmware): Pick<UpdateFacts, "seen" | "heardSince" | "staleResult"> {
  const lastAt = update.seen?.at ?? Number.NEGATIVE_INFINITY;
  const slept = seen.at - lastAt > limits.sleepGapMs;
  return {
    seen,
    heardSince: slept ? seen.at : update.heardSince,
    staleResult: seen.result === update.staleResult ? update.staleResult : null,
  };
}

function looked(moment: Moment, seen: DeviceFirmware): UpdateStep {
  const { state } = moment.update;
  switch (state) {
    case "pending":
    case "preparing":
    case "retryWait":
    case "resetting":
      return prepare(moment, seen);
    case "offering":
    case "downloading":
      return download(moment, seen);
    case "downloaded":
    case "applying":
    case "rebooting":
    case "verifying":
      return verify(moment, seen);
    default:
      throw new Error(`a look at a device in the final update state ${state}`);
  }
}

function lookRefused(moment: Moment, detail: string): UpdateStep {
  const { update, limits } = moment;
  if (update.state === "preparing" && update.idleLooks + 1 >= limits.maxRefusedLooks) return fail(moment, "lookRefused", detail);
  return { ...silence(moment), detail };
}

function silence(moment: Moment): UpdateStep {
  const { update, limits, nowMs } = moment;
  if (isInstalling(update) && nowMs - update.stateSince >= limits.bootTimeoutMs) {
    return end(moment, "lost", "the device did not come back after the Execute");
  }
  // A reset that was not answered may not have arrived: it begins again.
  return wait(moment, update.state === "resetting" ? "preparing" : update.state);
}
