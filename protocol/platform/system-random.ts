import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "../ports/random.ts";

const fractionSteps = 2 ** 32;

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomInt(fractionSteps) / fractionSteps,
};
