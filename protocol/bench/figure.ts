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

/** Three significant digits: what a noisy machine can tell. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
