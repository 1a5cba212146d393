/**
 * Follows the event log from an id on: what is stored first, then what happens, nothing missed and nothing twice. What retention has
 * deleted before it could be read is told as lost, never left out in silence.
 *
 *   behind --page of the log--> behind (it was full) | live
 *   live --event of this process--> live (held until the reader takes it) | behind (too many held, or a log that others write to as well)
 *   live --nothing for idleMs--> live, or behind where others may have written
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventFeed, EventType, LoggedEvent } from "./event.ts";

export interface EventFilter {
  readonly types?: readonly EventType[];
  readonly subject?: string;
}

export interface FollowSettings {
  readonly after: string;
  readonly filter: EventFilter;
  readonly signal: AbortSignal;
  /** After this long without an event an empty batch comes. */
  readonly idleMs: number;
}

/** Events between the two ids, both not included, may have been deleted unread. */
export interface LostEvents {
  readonly after: string;
  readonly before: string;
}

/** Events of one read of the log. */
const pageSize = 500;
/** Live events held for a reader that is slow; beyond it they are read from the log again when the reader is back. */
const heldEvents = 1_000;

/** What nobody can read any more behind `after`; undefined when all of it is there, or when everything that is kept was asked for (""). */
export async function findLost(log: EventFeed, after: string): Promise<LostEvents | undefined> {
  if (after === "") return undefined;
  const { first } = await log.kept();
  return Number(first) > Number(after) + 1 ? { after, before: first } : undefined;
}

/** Ends when the signal aborts. */
export async function* followEvents(
  log: EventFeed,
  clock: Clock,
  settings: FollowSettings,
): AsyncGenerator<readonly LoggedEvent[] | LostEvents> {
  const { filter, signal, idleMs } = settings;
  let cursor = settings.after;
  let held: LoggedEvent[] = [];
  // True: the log knows of events that are not in `held`.
  let behind = true;
  let wake = (): void => {};
  const stop = log.subscribe((events) => {
    // What others wrote lies between them.
    if (log.isShared) behind = true;
    if (!behind) held.push(...events.filter((event) => fits(event, filter)));
    if (held.length > heldEvents) {
      held = [];
      behind = true;
    }
    if (behind || held.length > 0) wake();
  });
  const take = (events: readonly LoggedEvent[]): readonly LoggedEvent[] => {
    cursor = events.at(-1)?._id ?? cursor;
    return events;
  };
  try {
    while (!signal.aborted) {
      if (behind) {
        // From here on live events are held, so that none falls between this read and the first live one.
        behind = false;
        held = [];
        const page = await log.read({ after: cursor, limit: pageSize, ...filter });
        // Asked for after the page: what was deleted before it was read is noticed.
        const lost = await findLost(log, cursor);
        if (page.length === pageSize) behind = true;
        if (lost !== undefined) {
          cursor = String(Number(lost.before) - 1).padStart(lost.before.length, "0");
          yield lost;
        }
        if (page.length > 0) yield take(page);
        continue;
      }
      const fresh = held.filter((event) => event._id > cursor);
      held = [];
      if (fresh.length > 0) yield take(fresh);
      else if (!(await somethingToDo())) {
        behind ||= log.isShared;
        yield [];
      }
    }
  } finally {
    stop();
  }

  /** False when nothing came in `idleMs`. */
  function somethingToDo(): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        timer.cancel();
        signal.removeEventListener("abort", onAbort);
        wake = () => {};
        resolve(result);
      };
      const timer = clock.after(idleMs, () => end(false));
      const onAbort = (): void => end(true);
      signal.addEventListener("abort", onAbort, { once: true });
      wake = () => end(true);
    });
  }
}

function fits(event: LoggedEvent, { types, subject }: EventFilter): boolean {
  return (types === undefined || types.includes(event.type)) && (subject === undefined || event.subject === subject);
}
