/** Update Result (/5/0/5) by number, and which failures are worth another offer (LwM2M Core 1.1 appendix E.6). */
import type { UpdateFailure } from "./update.ts";
import type { UpdateLimits } from "./update-limits.ts";

/** Results that the rules name. */
export const UpdateResult = { initial: 0, success: 1, updateFailed: 8, cancelled: 10, deferred: 11 } as const;

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

/** A number that no edition of the object knows is recorded, never a reason to throw. */
export function failureOfResult(result: number): UpdateFailure {
  return failures.get(result) ?? "resultUnknown";
}

/** Offers of the same package that make sense when they end like this. */
export function maxAttemptsOf(failure: UpdateFailure, limits: Pick<UpdateLimits, "maxAttempts" | "maxIntegrityAttempts">): number {
  switch (failure) {
    case "result3OutOfRam":
    case "result4ConnectionLost":
    case "downloadStalled":
    case "offerIgnored":
      return limits.maxAttempts;
    case "result5IntegrityFailure":
      return limits.maxIntegrityAttempts;
    default:
      return 1;
  }
}
