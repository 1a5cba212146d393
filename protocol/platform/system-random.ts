/** Randomness of the system. */
import { randomFillSync, randomInt } from "node:crypto";
import type { Random } from "../ports/random.ts";

const fractionSteps = 2 ** 32;
/** Asking the system for a few bytes costs as much as asking for many, so they are taken from a reserve. */
const reserveBytes = 4_096;
/** More than this is asked for directly. */
const largestFromReserve = 256;

const reserve = new Uint8Array(reserveBytes);
let next = reserveBytes;

export const systemRandom: Random = {
  bytes(length) {
    if (length > largestFromReserve) return randomFillSync(new Uint8Array(length));
    if (next + length > reserveBytes) {
      randomFillSync(reserve);
      next = 0;
    }
    const taken = reserve.slice(next, next + length);
    // What was given out may be a key: it is in one place only.
    reserve.fill(0, next, next + length);
    next += length;
    return taken;
  },
  fraction: () => randomInt(fractionSteps) / fractionSteps,
};
