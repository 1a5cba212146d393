/** One measured figure, as `npm run bench` prints it: a JSON line each. */
export interface Figure {
  readonly bench: string;
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** Measured in the same run on the same machine; null when there is nothing to compare with. */
  readonly against:
    | "npm-coap"
    | "libcoap"
    | "californium"
    | "scandium"
    | "cbor-x"
    | "raw-driver"
    | "leshan"
    | "bare-express"
    | "store-scheduler"
    | "memory-store"
    | "one-by-one"
    | null;
  /** Above 1: we are better. Null without a comparison. */
  readonly ratio: number | null;
}

export interface BenchOptions {
  /** About how long the whole bench may take. */
  readonly seconds: number;
  /** Asked for by name, not among all. */
  readonly isNamed?: boolean;
}

/** From here on a bench also runs what only says something over time. */
export const longFromSeconds = 10;

/** Three significant digits: what a noisy machine can tell. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

const nanosecondsPerSecond = 1e9;
/** Long enough for the garbage collector to have its share. */
const roundNanoseconds = 2_000_000;
const mostCallsPerRound = 1_000_000;
/** Nothing of this time counts: compilers have their turn. */
const warmUpShare = 0.4;

/** What each call costs in its fastest round, so when nothing else runs; the calls take turns. */
export function nanosecondsOf(seconds: number, calls: readonly (() => unknown)[]): number[] {
  const rounds = calls.map((call) => ({ call, calls: 1, fastest: Number.POSITIVE_INFINITY }));
  for (const share of [warmUpShare, 1 - warmUpShare]) {
    for (const round of rounds) round.fastest = Number.POSITIVE_INFINITY;
    const end = process.hrtime.bigint() + BigInt(Math.round(seconds * share * nanosecondsPerSecond));
    do {
      for (const round of rounds) {
        const spent = nanosecondsOfRound(round.call, round.calls);
        round.fastest = Math.min(round.fastest, spent / round.calls);
        round.calls = Math.min(mostCallsPerRound, Math.max(1, Math.round(roundNanoseconds / round.fastest)));
      }
    } while (process.hrtime.bigint() < end);
  }
  return rounds.map(({ fastest }) => fastest);
}

function nanosecondsOfRound(call: () => unknown, calls: number): number {
  const startedAt = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) call();
  return Number(process.hrtime.bigint() - startedAt);
}
