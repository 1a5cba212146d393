/** Update Result (/5/0/5) by number, and which failures are worth another offer (LwM2M Core 1.1 appendix E.6). */
import type { UpdateFailure } from "./update.ts";

const failures = new Map<number, UpdateFailure>([
  [2, "result2NotEnoughFlash"],
  [3, "result3OutOfRam"],
  [4, "result4ConnectionLost"],
  [5, "result5IntegrityFailure"],
  [6, "result6UnsupportedPackageType"],
  [7, "result7InvalidUri"],
  [8, "result8UpdateFailed"],
  [9, "result9UnsupportedProtocol"],
  [10, "result10Cancelled"],
  [11, "result11Deferred"],
]);

const retryable: readonly UpdateFailure[] = [
  "result3OutOfRam",
  "result4ConnectionLost",
  "result5IntegrityFailure",
  "downloadStalled",
  "offerIgnored",
];

/** A number that no edition of the object knows is recorded, never a reason to throw. */
export function failureOfResult(result: number): UpdateFailure {
  return failures.get(result) ?? "resultUnknown";
}

export function isRetryable(failure: UpdateFailure): boolean {
  return retryable.includes(failure);
}
