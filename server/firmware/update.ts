/** The firmware update of one device: what is stored, and the words for its states. */
import type { WithOutbox } from "../events/event.ts";
import type { StoredDocument } from "../storage/collection.ts";
import type { Claim } from "../storage/process-owner.ts";

export type UpdateState =
  | "pending"
  | "preparing"
  | "resetting"
  | "offering"
  | "downloading"
  | "downloaded"
  | "applying"
  | "rebooting"
  | "verifying"
  | "retryWait"
  | "succeeded"
  | "alreadyCurrent"
  | "failed"
  | "rolledBack"
  | "lost"
  | "expired"
  | "cancelled";

export const finalStates: readonly UpdateState[] = ["succeeded", "alreadyCurrent", "failed", "rolledBack", "lost", "expired", "cancelled"];

/** States in which the device may already be writing its flash: nothing can be taken back. */
export const irrevocableStates: readonly UpdateState[] = ["applying", "rebooting", "verifying"];

/** Why an update ended without success; the Update Results of /5/0/5 by their number. */
export type UpdateFailure =
  | "deviceDeleted"
  | "noFirmwareObject"
  | "lookRefused"
  | "pullNotSupported"
  | "protocolNotSupported"
  | "resetFailed"
  | "offerRejected"
  | "offerIgnored"
  | "downloadStalled"
  | "applyRejected"
  | "applyIgnored"
  | "versionMismatch"
  | "noSuccessReport"
  | "result2NotEnoughFlash"
  | "result3OutOfRam"
  | "result4ConnectionLost"
  | "result5IntegrityFailure"
  | "result6UnsupportedPackageType"
  | "result7InvalidUri"
  | "result8UpdateFailed"
  | "result9UnsupportedProtocol"
  | "result10Cancelled"
  | "result11Deferred"
  | "resultUnknown";

/** What an update waits for: a stable code and a sentence for people. */
export interface WaitingFor {
  readonly code: "turn" | "answer" | "download" | "restart" | "report" | "retry" | "nothing";
  readonly text: string;
}

/** Operations in flight for the step at hand; their ids are stored before the operations are made, so a crash repeats nothing. */
export interface PendingStep {
  readonly purpose: "look" | "reset" | "offer" | "apply";
  readonly operationIds: readonly string[];
}

export interface FirmwareUpdate extends StoredDocument, WithOutbox {
  /** A ULID. */
  readonly _id: string;
  readonly endpoint: string;
  /** Who takes the steps; absent: nobody yet, or an earlier version. */
  readonly claim?: Claim;
  readonly packageId: string;
  readonly targetVersion: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Unguessable; the last segment of the path the device fetches from. Unique. */
  readonly downloadToken: string;
  /** The URI written to /5/0/1; null until it was offered. */
  readonly packageUri: string | null;
  readonly state: UpdateState;
  readonly stateSince: number;
  readonly waitingFor: WaitingFor;
  readonly failure: UpdateFailure | null;
  /** A plain sentence for people. */
  readonly detail: string | null;
  /** Offers made so far; the first is 1. An offer that is made again because its answer was lost is the same one. */
  readonly attempt: number;
  /** Executes of /5/0/2 that left the server for the download at hand. */
  readonly applies: number;
  /** Looks at the device that found no progress in this state. */
  readonly idleLooks: number;
  /** Update Result left over from before the offer; it says nothing about this update. Null when there was none. */
  readonly staleResult: number | null;
  /** The device's words when it refused the offer at hand; null when it did not. */
  readonly offerRefusal: string | null;
  /** What the device showed last. */
  readonly seen: DeviceFirmware | null;
  /** Since when it has answered looks without a long gap; epoch milliseconds. */
  readonly heardSince: number | null;
  readonly pending: PendingStep | null;
  /** Highest byte the block server handed out, and when. */
  readonly servedBytes: number;
  readonly servedAt: number | null;
  readonly history: readonly { readonly state: UpdateState; readonly at: number; readonly detail?: string }[];
  readonly createdAt: number;
  readonly createdBy: string;
  readonly traceId: string;
  /** Epoch milliseconds: gives up as `expired`. */
  readonly expiresAt: number;
  readonly finishedAt: number | null;
  /** False once final. */
  readonly active: boolean;
  /** When the next step is due, epoch milliseconds. */
  readonly wakeAt: number;
  readonly rev: number;
}

/** The firmware object and the version as the device shows them (LwM2M Core 1.1 appendix E.6). */
export interface DeviceFirmware {
  /** /5/0/3: 0 idle, 1 downloading, 2 downloaded, 3 updating. */
  readonly state: number;
  /** /5/0/5 */
  readonly result: number;
  /** /3/0/3, or where the device has none /5/0/7. */
  readonly version: string | null;
  /** /5/0/8; empty means CoAP only. */
  readonly protocols: readonly number[];
  /** /5/0/9: 0 pull, 1 push, 2 both; null when not shown. */
  readonly delivery: number | null;
  readonly at: number;
}
