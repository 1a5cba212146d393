/** From State 2 to the proof: Execute, restart, Update Result 1 and the new version. Pure. */
import type { DeviceFirmware, UpdateState } from "./update.ts";
import { failureOfResult, UpdateResult } from "./update-result.ts";
import { end, fail, type Moment, pause, quietMs, retryOrFail, type UpdateEvent, type UpdateStep, wait } from "./update-step.ts";

/** The device shows State 2: the Execute leaves at its next chance. Only what has left counts as one. */
export function apply(moment: Moment, via?: UpdateState): UpdateStep {
  const { update, limits, nowMs } = moment;
  if (nowMs >= update.expiresAt) return end(moment, "expired", "the time allowed was over before the device installed the package");
  const passed = via === undefined ? {} : { via };
  return { state: "applying", effect: "apply", wakeAt: nowMs + limits.leaseMs, idleLooks: 0, ...passed };
}

export function applyAnswered(moment: Moment, event: UpdateEvent & { readonly kind: "apply-answered" }): UpdateStep {
  const { update, limits, nowMs } = moment;
  const applies = update.applies + 1;
  const lookSoon = { effect: "none", wakeAt: nowMs + limits.lookEveryMs, idleLooks: 0 } as const;
  switch (event.outcome) {
    case "accepted":
      return { ...lookSoon, state: "rebooting", applies };
    case "unsent":
      return { ...lookSoon, state: "applying", detail: "the Execute did not leave in time: looking at the device again" };
    case "unknown":
      return { ...lookSoon, state: "applying", applies, detail: "no answer to the Execute: looking at the device decides" };
    case "rejected":
      if (applies >= limits.maxApplies) return fail(moment, "applyRejected", event.detail);
      // A device that began by itself answers 4.05: the next look tells.
      return { ...lookSoon, state: "applying", applies, detail: event.detail };
  }
}

export function verify(moment: Moment, seen: DeviceFirmware): UpdateStep {
  const { update } = moment;
  if (seen.state === 0 && seen.result === UpdateResult.success && seen.version === update.targetVersion) return end(moment, "succeeded");
  if (seen.result > UpdateResult.success && seen.result !== update.staleResult) return installFailed(moment, seen);
  if (seen.state === 2) return stillDownloaded(moment);
  if (seen.state === 3) return installing(moment);
  return unproved(moment, seen);
}

/** A Result that the device reports for this update, and that is no success. */
export function resultSeen(moment: Moment, result: number): UpdateStep {
  const failure = failureOfResult(result);
  const detail = `the device reports Update Result ${result}`;
  if (result === UpdateResult.cancelled) return { ...end(moment, "cancelled", detail), failure };
  return retryOrFail(moment, failure, detail);
}

function installFailed(moment: Moment, { state, result }: DeviceFirmware): UpdateStep {
  if (result === UpdateResult.updateFailed) {
    return { ...end(moment, "rolledBack", `the device reports Update Result ${result}`), failure: failureOfResult(result) };
  }
  // The user put it off: the device goes on by itself, or the time allowed ends (resources 11 and 13 of object version 1.1).
  if (result === UpdateResult.deferred && state === 2) {
    return pause(moment, "applying", moment.limits.deferredLookEveryMs, "the device's user put the installation off");
  }
  return resultSeen(moment, result);
}

/** After an Execute of which nobody knows whether it arrived, State 2 says that it did not. */
function stillDownloaded(moment: Moment): UpdateStep {
  const { update, limits } = moment;
  const mayRepeat = update.applies < limits.maxApplies;
  if (update.state === "applying" && mayRepeat) return apply(moment);
  if (quietMs(moment) < limits.settleMs) return wait(moment, update.state);
  if (mayRepeat) return apply(moment);
  return fail(moment, "applyIgnored", `the device stays in State 2 (Downloaded) after ${update.applies} Executes`);
}

function installing(moment: Moment): UpdateStep {
  if (moment.update.state === "rebooting" && quietMs(moment) > moment.limits.bootTimeoutMs) {
    return end(moment, "lost", "the device stays in State 3 (Updating)");
  }
  return wait(moment, "rebooting");
}

/** Idle without the whole proof: gives the device time to come up, then says what is missing. */
function unproved(moment: Moment, seen: DeviceFirmware): UpdateStep {
  const { update, limits } = moment;
  const hasTime = update.state !== "verifying" || update.idleLooks + 1 < limits.maxVerifyLooks || quietMs(moment) < limits.settleMs;
  if (hasTime) return wait(moment, "verifying");
  const version = seen.version ?? "not shown";
  if (seen.result === UpdateResult.success) {
    return fail(moment, "versionMismatch", `Update Result 1, but the version is ${version} instead of ${update.targetVersion}`);
  }
  if (seen.version === update.targetVersion) {
    return fail(moment, "noSuccessReport", `the version is ${version}, but the device reports Update Result ${seen.result} instead of 1`);
  }
  return { ...end(moment, "rolledBack", `the version is ${version} again, without a result`), failure: "versionMismatch" };
}
