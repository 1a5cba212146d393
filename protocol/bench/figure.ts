/** One measured figure, as `npm run bench` prints it: a JSON line each. */
export interface Figure {
  readonly bench: string;
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** Measured in the same run on the same machine; null when there is nothing to compare with. */
  readonly against: "npm-coap" | "libcoap" | "californium" | "scandium" | "cbor-x" | "raw-driver" | "leshan" | "bare-express" | null;
  /** Above 1: we are better. Null without a comparison. */
  readonly ratio: number | null;
}

export interface BenchOptions {
  /** About how long the whole bench may take. */
  readonly seconds: number;
}

/** From here on a bench also runs what only says something over time. */
export const longFromSeconds = 10;

/** Three significant digits: what a noisy machine can tell. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

const callsPerRound = 250;
const nanosecondsPerSecond = 1e9;

/** The fastest round: what the code costs when nothing else runs. */
export function nanosecondsOf(seconds: number, call: () => unknown): number {
  const end = process.hrtime.bigint() + BigInt(Math.round(seconds * nanosecondsPerSecond));
  let fastest = Number.POSITIVE_INFINITY;
  for (let now = process.hrtime.bigint(); now < end; ) {
    for (let i = 0; i < callsPerRound; i++) call();
    const after = process.hrtime.bigint();
    fastest = Math.min(fastest, Number(after - now) / callsPerRound);
    now = after;
  }
  return fastest;
}
