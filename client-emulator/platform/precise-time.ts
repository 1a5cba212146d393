/** Milliseconds with a fraction, from the start of the process: for latencies. */
export function preciseMs(): number {
  return performance.now();
}
