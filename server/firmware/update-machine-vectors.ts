/** What the machine of an update does with each event in each state, as its test holds it to. */
import type { DeviceFirmware } from "./update.ts";
import { updateLimits } from "./update-limits.ts";
import type { UpdateEvent, UpdateFacts, UpdateStep } from "./update-step.ts";

export const now = 1_800_000_000_000;
export const source = "LwM2M Core 1.1 appendix E.6";

export function anUpdate(changes: Partial<UpdateFacts> = {}): UpdateFacts {
  return {
    state: "pending",
    stateSince: now - 1_000,
    targetVersion: "2.0",
    attempt: 1,
    applies: 0,
    idleLooks: 0,
    staleResult: null,
    offerRefusal: null,
    servedAt: null,
    servedBytes: 0,
    sizeBytes: 10_000,
    seen: aDevice({ at: now - 5_000 }),
    heardSince: now - 100_000_000,
    expiresAt: now + 1_000_000,
    ...changes,
  };
}

function aDevice(changes: Partial<DeviceFirmware> = {}): DeviceFirmware {
  return { state: 0, result: 0, version: "1.0", protocols: [], delivery: 2, at: now, ...changes };
}

export function aLook(changes: Partial<DeviceFirmware> = {}): UpdateEvent {
  return { kind: "looked", seen: aDevice(changes) };
}

interface Row {
  readonly title: string;
  readonly update: Partial<UpdateFacts>;
  readonly event: UpdateEvent;
  /** Undefined: the field stays as it is. */
  readonly expected: { readonly [field in keyof UpdateStep]?: UpdateStep[field] | undefined };
}

const long = updateLimits.bootTimeoutMs + 1;

export const rows: readonly Row[] = [
  { title: "begins with a look", update: {}, event: { kind: "due" }, expected: { state: "preparing", effect: "look" } },
  {
    title: "goes on with a look in every later state",
    update: { state: "rebooting" },
    event: { kind: "due" },
    expected: { state: "rebooting", effect: "look" },
  },
  {
    title: "a device on the target version is current",
    update: { state: "preparing" },
    event: aLook({ version: "2.0" }),
    expected: { state: "alreadyCurrent", effect: "none" },
  },
  {
    title: "versions compare exactly, not as a prefix",
    update: { state: "preparing", targetVersion: "1.1" },
    event: aLook({ version: "1.1.0" }),
    expected: { state: "offering", effect: "offer" },
  },
  {
    title: "an idle, clean device gets the offer",
    update: { state: "preparing" },
    event: aLook(),
    expected: { state: "offering", effect: "offer", staleResult: null },
  },
  {
    title: "no /5: failed",
    update: { state: "preparing" },
    event: { kind: "no-firmware-object" },
    expected: { state: "failed", failure: "noFirmwareObject" },
  },
  {
    title: "push only: failed",
    update: { state: "preparing" },
    event: aLook({ delivery: 1 }),
    expected: { state: "failed", failure: "pullNotSupported" },
  },
  {
    title: "no CoAP among the protocols: failed",
    update: { state: "preparing" },
    event: aLook({ protocols: [2, 3] }),
    expected: { state: "failed", failure: "protocolNotSupported" },
  },
  {
    title: "CoAPS alone among the protocols is enough",
    update: { state: "preparing" },
    event: aLook({ protocols: [1] }),
    expected: { state: "offering", effect: "offer" },
  },
  {
    title: "a stale Result is reset first",
    update: { state: "preparing" },
    event: aLook({ result: 1 }),
    expected: { state: "resetting", effect: "reset" },
  },
  {
    title: "a leftover download is reset first",
    update: { state: "preparing" },
    event: aLook({ state: 2 }),
    expected: { state: "resetting", effect: "reset" },
  },
  {
    title: "after the reset the device is looked at again",
    update: { state: "resetting" },
    event: { kind: "reset-answered", detail: "" },
    expected: { state: "resetting", effect: "look" },
  },
  {
    title: "a Result that survives the reset is remembered as stale",
    update: { state: "resetting" },
    event: aLook({ result: 8 }),
    expected: { state: "offering", effect: "offer", staleResult: 8 },
  },
  {
    title: "a State that survives the reset for several looks: failed",
    update: { state: "resetting", idleLooks: 3 },
    event: aLook({ state: 2 }),
    expected: { state: "failed", failure: "resetFailed" },
  },
  {
    title: "... aborting a download takes its time",
    update: { state: "resetting" },
    event: aLook({ state: 1 }),
    expected: { state: "resetting", effect: "none" },
  },
  {
    title: "a reset without an answer begins again",
    update: { state: "resetting" },
    event: { kind: "unreachable" },
    expected: { state: "preparing", effect: "none" },
  },
  {
    title: "a look refused before the offer is made again",
    update: { state: "preparing" },
    event: { kind: "look-refused", detail: "4.01" },
    expected: { state: "preparing", effect: "none", detail: "4.01" },
  },
  {
    title: "... and fails when it is refused over and over",
    update: { state: "preparing", idleLooks: 9 },
    event: { kind: "look-refused", detail: "4.01" },
    expected: { state: "failed", failure: "lookRefused" },
  },
  {
    title: "a deleted device: failed",
    update: { state: "rebooting" },
    event: { kind: "device-deleted" },
    expected: { state: "failed", failure: "deviceDeleted" },
  },
  {
    title: "accepted offer: downloading",
    update: { state: "offering" },
    event: { kind: "offer-answered", accepted: true, detail: "" },
    expected: { state: "downloading", effect: "none" },
  },
  {
    title: "a refused offer is looked after: the device may have it already",
    update: { state: "offering" },
    event: { kind: "offer-answered", accepted: false, detail: "4.00" },
    expected: { state: "offering", effect: "look", offerRefusal: "4.00" },
  },
  {
    title: "... and the device is downloading: all is well",
    update: { state: "offering", offerRefusal: "4.00" },
    event: aLook({ state: 1 }),
    expected: { state: "downloading", effect: "none" },
  },
  {
    title: "... and the device is idle: failed",
    update: { state: "offering", offerRefusal: "4.00" },
    event: aLook(),
    expected: { state: "failed", failure: "offerRejected", detail: "4.00" },
  },
  {
    title: "... and the device says why: failed with its result",
    update: { state: "offering", offerRefusal: "4.00" },
    event: aLook({ result: 9 }),
    expected: { state: "failed", failure: "result9UnsupportedProtocol" },
  },
  {
    title: "an offer without an answer waits, then is looked after",
    update: { state: "offering" },
    event: { kind: "unreachable" },
    expected: { state: "offering", effect: "none" },
  },
  {
    title: "an offer that never arrived is made again",
    update: { state: "offering" },
    event: aLook(),
    expected: { state: "offering", effect: "offer" },
  },
  {
    title: "State 1: downloading",
    update: { state: "downloading" },
    event: aLook({ state: 1 }),
    expected: { state: "downloading", effect: "none" },
  },
  {
    title: "State 2: apply",
    update: { state: "downloading" },
    event: aLook({ state: 2 }),
    expected: { state: "applying", effect: "apply" },
  },
  {
    title: "State 3 on its own (automatic upgrade): rebooting",
    update: { state: "downloading" },
    event: aLook({ state: 3 }),
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "idle with the stale Result is no failure yet",
    update: { state: "downloading", staleResult: 8 },
    event: aLook({ result: 8 }),
    expected: { state: "downloading", effect: "none" },
  },
  {
    title: "... after another Result was seen, the same number is news",
    update: { state: "downloading", staleResult: 8 },
    event: aLook({ state: 1, result: 0 }),
    expected: { state: "downloading", staleResult: null },
  },
  {
    title: "the stale Result in State 3 is no rollback",
    update: { state: "rebooting", staleResult: 8 },
    event: aLook({ state: 3, result: 8 }),
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "Result 4 is tried again",
    update: { state: "downloading" },
    event: aLook({ result: 4 }),
    expected: { state: "retryWait", wakeAt: now + updateLimits.retryAfterMs },
  },
  {
    title: "the pause doubles",
    update: { state: "downloading", attempt: 2 },
    event: aLook({ result: 4 }),
    expected: { state: "retryWait", wakeAt: now + 2 * updateLimits.retryAfterMs },
  },
  {
    title: "attempts used up: failed",
    update: { state: "downloading", attempt: 3 },
    event: aLook({ result: 4 }),
    expected: { state: "failed", failure: "result4ConnectionLost" },
  },
  {
    title: "Result 5 is tried again once",
    update: { state: "downloading", attempt: 1 },
    event: aLook({ result: 5 }),
    expected: { state: "retryWait" },
  },
  {
    title: "... a second damaged copy is no accident",
    update: { state: "downloading", attempt: 2 },
    event: aLook({ result: 5 }),
    expected: { state: "failed", failure: "result5IntegrityFailure" },
  },
  {
    title: "Result 10: somebody cancelled it at the device",
    update: { state: "downloading" },
    event: aLook({ result: 10 }),
    expected: { state: "cancelled", failure: "result10Cancelled" },
  },
  {
    title: "Result 2: failed at once",
    update: { state: "downloading" },
    event: aLook({ result: 2 }),
    expected: { state: "failed", failure: "result2NotEnoughFlash" },
  },
  {
    title: "Result 6: failed at once",
    update: { state: "downloading" },
    event: aLook({ result: 6 }),
    expected: { state: "failed", failure: "result6UnsupportedPackageType" },
  },
  {
    title: "Result 7: failed at once",
    update: { state: "downloading" },
    event: aLook({ result: 7 }),
    expected: { state: "failed", failure: "result7InvalidUri" },
  },
  {
    title: "Result 9: failed at once",
    update: { state: "downloading" },
    event: aLook({ result: 9 }),
    expected: { state: "failed", failure: "result9UnsupportedProtocol" },
  },
  {
    title: "a Result nobody knows: failed without throwing",
    update: { state: "downloading" },
    event: aLook({ result: 77 }),
    expected: { state: "failed", failure: "resultUnknown" },
  },
  {
    title: "an offer nobody fetches is offered again after a while",
    update: { state: "downloading", stateSince: now - 600_001 },
    event: aLook(),
    expected: { state: "retryWait" },
  },
  {
    title: "... not when the device has slept since: it gets its time again",
    update: { state: "downloading", stateSince: now - 9_000_000, seen: aDevice({ at: now - 300_001 }) },
    event: aLook(),
    expected: { state: "downloading", heardSince: now },
  },
  {
    title: "a stalled download is offered again",
    update: { state: "downloading", stateSince: now - 9_000_000, servedAt: now - long },
    event: aLook({ state: 1 }),
    expected: { state: "retryWait" },
  },
  {
    title: "... not when the device has slept since: its next block may come",
    update: { state: "downloading", stateSince: now - 90_000_000, servedAt: now - 86_400_000, seen: aDevice({ at: now - 86_400_000 }) },
    event: aLook({ state: 1 }),
    expected: { state: "downloading", effect: "none" },
  },
  {
    title: "while blocks are fetched the device is left alone",
    update: { state: "downloading", servedAt: now - 1_000, servedBytes: 5_000 },
    event: aLook({ state: 1 }),
    expected: { state: "downloading", wakeAt: now + updateLimits.lookAtMostEveryMs },
  },
  {
    title: "once the last block is out, State 2 is near",
    update: { state: "downloading", servedAt: now - 1_000, servedBytes: 10_000, idleLooks: 50 },
    event: aLook({ state: 1 }),
    expected: { state: "downloading", wakeAt: now + updateLimits.lookEveryMs },
  },
  {
    title: "accepted Execute: rebooting",
    update: { state: "applying" },
    event: { kind: "apply-answered", outcome: "accepted", detail: "" },
    expected: { state: "rebooting" },
  },
  {
    title: "an Execute of unknown outcome is never repeated without a look",
    update: { state: "applying" },
    event: { kind: "apply-answered", outcome: "unknown", detail: "" },
    expected: { state: "applying", effect: "none" },
  },
  {
    title: "... and repeated when the look shows State 2",
    update: { state: "applying", applies: 1 },
    event: aLook({ state: 2 }),
    expected: { state: "applying", effect: "apply" },
  },
  {
    title: "... and not when it shows State 3",
    update: { state: "applying", applies: 1 },
    event: aLook({ state: 3 }),
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "a refused Execute is looked after before it counts as failed",
    update: { state: "applying", applies: 1 },
    event: { kind: "apply-answered", outcome: "rejected", detail: "4.05" },
    expected: { state: "applying", effect: "none" },
  },
  {
    title: "an Execute that never left does not count",
    update: { state: "applying", applies: 0 },
    event: { kind: "apply-answered", outcome: "unsent", detail: "" },
    expected: { state: "applying", effect: "none", applies: undefined },
  },
  {
    title: "one that may have arrived does",
    update: { state: "applying", applies: 0 },
    event: { kind: "apply-answered", outcome: "unknown", detail: "" },
    expected: { state: "applying", effect: "none", applies: 1 },
  },
  {
    title: "after an accepted Execute State 2 is given time",
    update: { state: "rebooting", applies: 1 },
    event: aLook({ state: 2 }),
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "... then the Execute is repeated",
    update: { state: "rebooting", applies: 1, stateSince: now - updateLimits.settleMs },
    event: aLook({ state: 2 }),
    expected: { state: "applying", effect: "apply" },
  },
  {
    title: "... and in the end the device ignores it",
    update: { state: "rebooting", applies: 3, stateSince: now - updateLimits.settleMs },
    event: aLook({ state: 2 }),
    expected: { state: "failed", failure: "applyIgnored" },
  },
  {
    title: "Result 11: the user put it off; nothing is sent meanwhile",
    update: { state: "rebooting", applies: 1 },
    event: aLook({ state: 2, result: 11 }),
    expected: { state: "applying", effect: "none", wakeAt: now + updateLimits.deferredLookEveryMs },
  },
  {
    title: "a third refusal: failed",
    update: { state: "applying", applies: 2 },
    event: { kind: "apply-answered", outcome: "rejected", detail: "4.05" },
    expected: { state: "failed", failure: "applyRejected" },
  },
  {
    title: "Result 1 and the version: succeeded",
    update: { state: "rebooting" },
    event: aLook({ result: 1, version: "2.0" }),
    expected: { state: "succeeded", effect: "none" },
  },
  {
    title: "the version alone is no success",
    update: { state: "rebooting" },
    event: aLook({ version: "2.0" }),
    expected: { state: "verifying", effect: "none" },
  },
  {
    title: "... and fails in the end",
    update: { state: "verifying", idleLooks: 3, stateSince: now - updateLimits.settleMs },
    event: aLook({ version: "2.0" }),
    expected: { state: "failed", failure: "noSuccessReport" },
  },
  {
    title: "Result 1 alone is no success",
    update: { state: "rebooting" },
    event: aLook({ result: 1 }),
    expected: { state: "verifying", effect: "none" },
  },
  {
    title: "... and fails in the end",
    update: { state: "verifying", idleLooks: 3, stateSince: now - updateLimits.settleMs },
    event: aLook({ result: 1 }),
    expected: { state: "failed", failure: "versionMismatch" },
  },
  {
    title: "the old version without a result: rolled back",
    update: { state: "verifying", idleLooks: 3, stateSince: now - updateLimits.settleMs },
    event: aLook(),
    expected: { state: "rolledBack", failure: "versionMismatch" },
  },
  {
    title: "... which takes more than a few quick looks",
    update: { state: "verifying", idleLooks: 9 },
    event: aLook(),
    expected: { state: "verifying", effect: "none" },
  },
  {
    title: "no /5 right after the restart is waited for",
    update: { state: "rebooting" },
    event: { kind: "no-firmware-object" },
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "Result 8 in State 2: rolled back",
    update: { state: "rebooting" },
    event: aLook({ state: 2, result: 8 }),
    expected: { state: "rolledBack", failure: "result8UpdateFailed" },
  },
  {
    title: "installing goes on",
    update: { state: "rebooting" },
    event: aLook({ state: 3 }),
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "silence after the Execute is waited for",
    update: { state: "rebooting" },
    event: { kind: "unreachable" },
    expected: { state: "rebooting", effect: "none" },
  },
  {
    title: "... and ends as lost",
    update: { state: "rebooting", stateSince: now - long },
    event: { kind: "unreachable" },
    expected: { state: "lost" },
  },
  {
    title: "the deadline ends what can be taken back",
    update: { state: "downloading", expiresAt: now },
    event: aLook({ state: 1 }),
    expected: { state: "expired", effect: "none" },
  },
  {
    title: "... also an Execute that waits in the queue",
    update: { state: "applying", expiresAt: now },
    event: { kind: "apply-answered", outcome: "unsent", detail: "" },
    expected: { state: "expired", effect: "none" },
  },
  {
    title: "... not one that left: the device is looked at once more",
    update: { state: "applying", applies: 1, expiresAt: now },
    event: { kind: "due" },
    expected: { state: "applying", effect: "look" },
  },
  {
    title: "... and when it shows State 2 it is over",
    update: { state: "applying", applies: 1, expiresAt: now },
    event: aLook({ state: 2 }),
    expected: { state: "expired", effect: "none" },
  },
  {
    title: "... and when it does not answer it is lost",
    update: { state: "applying", applies: 1, expiresAt: now },
    event: { kind: "unreachable" },
    expected: { state: "lost", effect: "none" },
  },
  {
    title: "... nor a restart under way",
    update: { state: "rebooting", applies: 1, expiresAt: now },
    event: aLook({ state: 3 }),
    expected: { state: "rebooting", effect: "none" },
  },
];
