/** Waiting in real time for something another process does: always for a condition, never for a while. */

const pollEveryMs = 50;

/** Machines that run the tests are busy: what is not about time is given this much of it. Nothing waits longer than it has to. */
export const patienceMs = 60_000;

/** Asks again and again until `probe` gives something other than undefined; throws when the time is up, saying what it waited for. */
export async function eventually<T>(what: string, timeoutMs: number, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const endsAt = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() >= endsAt) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await pause(pollEveryMs);
  }
}

/** For probes that may fail meanwhile (a server that is being started): any failure counts as "not yet". */
export async function eventuallySucceeds<T>(what: string, timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  let last: unknown;
  try {
    return await eventually(what, timeoutMs, async () => {
      try {
        return { value: await attempt() };
      } catch (error) {
        last = error;
        return undefined;
      }
    }).then(({ value }) => value);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}; the last attempt said: ${String(last)}`);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
