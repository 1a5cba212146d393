/** From the first look to State 2: is the device fit and clean, did it take the offer, does the download move. Pure. */
import type { DeviceFirmware } from "./update.ts";
import { apply, resultSeen, verify } from "./update-install.ts";
import { UpdateResult } from "./update-result.ts";
import { end, fail, look, type Moment, quietMs, retryOrFail, type UpdateEvent, type UpdateStep, wait } from "./update-step.ts";

/** /5/0/8: CoAP, and CoAP over DTLS; which of them is offered follows from how the device registered. */
const coapProtocols: readonly number[] = [0, 1];
/** /5/0/9 */
const pushOnly = 1;

export function prepare(moment: Moment, seen: DeviceFirmware): UpdateStep {
  const { update, limits } = moment;
  if (seen.version === update.targetVersion && seen.state === 0) {
    return end(moment, "alreadyCurrent", `the device already reports ${update.targetVersion}`);
  }
  if (seen.delivery === pushOnly) return fail(moment, "pullNotSupported", "the device takes pushed packages only (/5/0/9 = 1)");
  if (seen.protocols.length > 0 && !seen.protocols.some((protocol) => coapProtocols.includes(protocol))) {
    return fail(
      moment,
      "protocolNotSupported",
      `the device fetches by ${seen.protocols.join(", ")} (/5/0/8), not by CoAP (0) or CoAPS (1)`,
    );
  }
  if (seen.state === 3) return wait(moment, "preparing", "the device is installing something else");
  if (update.state !== "resetting") return seen.state === 0 && seen.result === 0 ? offer(moment, null) : reset(moment, seen);
  // A Result may survive the reset; a State may not, but aborting a download takes its time.
  if (seen.state === 0) return offer(moment, seen.result === 0 ? null : seen.result);
  if (update.idleLooks + 1 < limits.maxResetLooks) return wait(moment, "resetting");
  return fail(moment, "resetFailed", `State is still ${seen.state} after an empty Package URI was written`);
}

export function offerAnswered(moment: Moment, { accepted, detail }: UpdateEvent & { readonly kind: "offer-answered" }): UpdateStep {
  // A device that has the offer already (the answer was lost) refuses it again: the look decides.
  return accepted ? wait(moment, "downloading") : { ...look(moment, "offering"), offerRefusal: detail };
}

export function download(moment: Moment, seen: DeviceFirmware): UpdateStep {
  const { update, limits, nowMs } = moment;
  if (seen.state === 2) return apply(moment, "downloaded");
  // Some devices install at once (/5/0/14, or older ones of their own accord).
  if (seen.state === 3) return wait(moment, "rebooting");
  if (seen.state === 1) return timedOut(moment) ?? keepDownloading(moment);
  if (seen.result !== UpdateResult.initial && seen.result !== update.staleResult) {
    if (seen.result === UpdateResult.success) return verify(moment, seen);
    return resultSeen(moment, seen.result);
  }
  if (update.offerRefusal !== null) return fail(moment, "offerRejected", update.offerRefusal);
  const waited = timedOut(moment);
  if (waited !== undefined) return waited;
  // The offer was not acknowledged and nothing was fetched: an idle device takes the same URI again without harm.
  if (update.state === "offering" && update.servedAt === null) return offer(moment, update.staleResult);
  // Idle after blocks were fetched: the device lost the download, by a restart for example.
  if (update.servedAt !== null && nowMs - update.servedAt > limits.idleDownloadMs) {
    return retryOrFail(moment, "downloadStalled", "the device went idle in the middle of the download");
  }
  return wait(moment, "downloading");
}

function reset({ limits, nowMs }: Moment, seen: DeviceFirmware): UpdateStep {
  const detail = `State ${seen.state}, Update Result ${seen.result} are left from before`;
  return { state: "resetting", effect: "reset", wakeAt: nowMs + limits.leaseMs, detail };
}

function offer({ limits, nowMs }: Moment, staleResult: number | null): UpdateStep {
  return { state: "offering", effect: "offer", wakeAt: nowMs + limits.leaseMs, staleResult, idleLooks: 0 };
}

/** While blocks are being fetched a look would only get in their way; once the last one is out, State 2 is near. */
function keepDownloading(moment: Moment): UpdateStep {
  const { update, limits, nowMs } = moment;
  const step = wait(moment, "downloading");
  const flows = update.servedAt !== null && update.servedBytes < update.sizeBytes && quietMs(moment) < limits.lookAtMostEveryMs;
  return flows ? { ...step, wakeAt: nowMs + limits.lookAtMostEveryMs } : step;
}

/** Undefined while there is time left. */
function timedOut(moment: Moment): UpdateStep | undefined {
  const { update, limits } = moment;
  const quiet = quietMs(moment);
  if (update.servedAt === null && quiet > limits.offerTimeoutMs) {
    return retryOrFail(moment, "offerIgnored", "the device took the Package URI but fetched nothing");
  }
  if (quiet > limits.stallTimeoutMs) return retryOrFail(moment, "downloadStalled", "no block was fetched for too long");
  return undefined;
}
