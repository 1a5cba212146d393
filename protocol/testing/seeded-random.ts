/** Chance for tests: the same seed gives the same run. */
import type { Random } from "../ports/random.ts";

export interface SeededRandom extends Random {
  readonly seed: number;
  /** A whole number in [0, bound). */
  integer(bound: number): number;
  pick<T>(choices: readonly T[]): T;
}

const wordSteps = 2 ** 32;

/** A 32-bit xorshift generator over a mixed seed: fast, even enough for tests, worthless as a secret. */
export function seededRandom(seed: number): SeededRandom {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  const word = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.imul(state, 0x2545f491) >>> 0;
  };
  const integer = (bound: number): number => Math.floor((word() / wordSteps) * bound);
  return {
    seed,
    integer,
    fraction: () => word() / wordSteps,
    bytes: (length) => Uint8Array.from({ length }, () => word() >>> 24),
    pick<T>(choices: readonly T[]): T {
      const choice = choices[integer(choices.length)];
      if (choice === undefined) throw new Error("nothing to pick from");
      return choice;
    },
  };
}
