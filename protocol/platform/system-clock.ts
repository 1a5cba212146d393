/** The real time: the only file besides its neighbours that reads the clock of the machine. */
import type { Clock, Timer } from "../ports/clock.ts";

/** Node fires timers above 2^31−1 ms at once; longer waits are cut into pieces of a day. */
const longestTimerMs = 86_400_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs: number, callback: () => void): Timer {
    if (delayMs <= 0) return atOnce(callback);
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const pieceMs = Math.min(leftMs, longestTimerMs);
      handle = setTimeout(() => (leftMs > pieceMs ? arm(leftMs - pieceMs) : callback()), pieceMs);
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** As soon as what has arrived by now was taken: a timer of Node waits a millisecond at least. */
function atOnce(callback: () => void): Timer {
  const handle = setImmediate(callback);
  return { cancel: () => clearImmediate(handle) };
}
