/** Latencies in buckets that grow by a constant factor: memory does not depend on how many there were. */

/** A value is told as at most two per cent more than it was, never as less. */
const growth = 1.02;
const smallestMs = 0.001;
/** An hour; what took longer counts as that. */
const longestMs = 3_600_000;
const logOfGrowth = Math.log(growth);
const buckets = Math.ceil(Math.log(longestMs / smallestMs) / logOfGrowth) + 1;

export interface LatencyReport {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export class Histogram {
  #counts = new Uint32Array(buckets);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  record(ms: number): void {
    const bucket = ms <= smallestMs ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(ms / smallestMs) / logOfGrowth));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    if (ms > this.#max) this.#max = ms;
  }

  /** The least value that `share` (0–1) of all do not exceed; undefined when there are none. */
  quantile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let passed = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      passed += this.#counts[bucket] ?? 0;
      if (passed >= wanted) return Math.min(this.#max, smallestMs * growth ** bucket);
    }
    return this.#max;
  }

  /** Null when nothing was recorded. Milliseconds, three digits. */
  report(): LatencyReport | null {
    const at = (share: number): number => threeDigits(this.quantile(share) ?? 0);
    if (this.#count === 0) return null;
    return { count: this.#count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: threeDigits(this.#max) };
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
  }
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
