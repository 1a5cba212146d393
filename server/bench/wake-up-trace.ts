/** A trace of a fleet that sleeps: 1,000 devices and what waits for each when it wakes. The same for the same seed. */
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { OperationRequest } from "../operations/operation.ts";

export interface TracedDevice {
  readonly endpoint: string;
  readonly lwm2mVersion: "1.0" | "1.1" | "1.2";
  /** Takes no composite requests, whatever its version. */
  readonly refusesComposite: boolean;
  /** In the order in which it was ordered. */
  readonly queue: readonly OperationRequest[];
}

export const traceSeed = 2026;
const devices = 1_000;
const longestQueue = 12;

/** Readable and writable resources of Server, Device, Connectivity Monitoring and Temperature, as programs ask for them. */
const readable = [
  ...["/3/0/0", "/3/0/3", "/3/0/7", "/3/0/9", "/3/0/10", "/3/0/13", "/3/0/14"],
  ...["/1/0/1", "/4/0/0", "/4/0/2", "/4/0/3", "/4/0/8"],
  ...["/3303/0/5700", "/3303/0/5601", "/3303/0/5602", "/3303/1/5700"],
];
const writable: readonly (readonly [string, readonly (string | number | boolean)[]])[] = [
  ["/1/0/1", [3_600, 86_400]],
  ["/1/0/2", [10, 60]],
  ["/1/0/3", [300, 600]],
  ["/1/0/5", [86_400]],
  ["/1/0/6", [true, false]],
  ["/3/0/13", [1_800_000_000]],
  ["/3/0/14", ["+02:00", "+01:00"]],
  ["/3/0/15", ["Europe/Paris"]],
];
const executable = ["/3/0/12", "/3303/0/5605", "/1/0/8"];

/** Of 100 operations. */
const shares = { read: 58, write: 34, execute: 3, observe: 3, discover: 2 } as const;
/** Of 100 devices. */
const versions = { "1.0": 15, "1.1": 60, "1.2": 25 } as const;
const refusingPercent = 5;

export function wakeUpTrace(seed = traceSeed): readonly TracedDevice[] {
  const random = seededRandom(seed);
  const oneOf = <T>(from: readonly T[]): T => {
    const found = from[Math.floor(random.fraction() * from.length)];
    if (found === undefined) throw new Error("nothing to choose from");
    return found;
  };
  const byShare = <K extends string>(table: { readonly [key in K]: number }): K => {
    const keys = Object.entries<number>(table).flatMap(([key, share]) => Array<K>(share).fill(key as K));
    return oneOf(keys);
  };
  const order = (): OperationRequest => {
    const kind = byShare(shares);
    if (kind === "write") {
      const [path, values] = oneOf(writable);
      return { kind, path, value: oneOf(values) };
    }
    if (kind === "execute") return { kind, path: oneOf(executable) };
    return { kind, path: kind === "discover" ? "/3303" : oneOf(readable) };
  };
  return Array.from({ length: devices }, (_, index) => ({
    endpoint: `meter-${index}`,
    lwm2mVersion: byShare(versions),
    refusesComposite: random.fraction() * 100 < refusingPercent,
    queue: Array.from({ length: 1 + Math.floor(random.fraction() * longestQueue) }, order),
  }));
}
