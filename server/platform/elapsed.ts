/** Time that passed, finer than a millisecond and never set back: for shares of the processor, not for dates. */
export function elapsedMs(): number {
  return performance.now();
}
