/** Runs when the event loop has looked at its sockets once; unlike a timer of no time, which waits a millisecond. */
export function nextTurn(run: () => void): void {
  setImmediate(run);
}
