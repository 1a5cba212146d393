/** Ends a process that should have ended by itself: something was left open, which is a bug, but nobody waits for it. */

/** Does not keep the process alive by itself. */
export function exitAfter(delayMs: number, code: number, before: () => void): void {
  setTimeout(() => {
    before();
    process.exit(code);
  }, delayMs).unref();
}
