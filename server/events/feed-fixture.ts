/** For tests of the feed: a log in memory, a follower of it, a reader of streams. */
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { aDoor } from "../http/door-fixture.ts";
import type { EventFeed, EventType, LoggedEvent } from "./event.ts";
import { type FollowSettings, followEvents } from "./event-follower.ts";
import { eventRoutes } from "./event-http.ts";

export const asStream = { accept: "text/event-stream" };

/** 1 to `count`. */
export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/** Its reads take a turn, as those of an engine do: the contract of `EventFeed`, nothing of its storage. */
export class MemoryLog implements EventFeed {
  readonly events: LoggedEvent[] = [];
  readonly listeners = new Set<(events: readonly LoggedEvent[]) => void>();
  /** Runs in the middle of a read, after its rows were chosen. */
  duringRead = (): void => {};
  reads = 0;

  add(type: EventType = "device.updated", subject = "dev1"): LoggedEvent {
    const number = this.deleted + this.events.length + 1;
    const event = {
      _id: String(number).padStart(16, "0"),
      type,
      subject,
      timeMs: 1_700_000_000_000 + number,
      data: { number },
      sourceKey: `k${number}`,
    };
    this.events.push(event);
    for (const listener of this.listeners) listener([event]);
    return event;
  }

  append(): Promise<void> {
    throw new Error("tests add events one by one");
  }

  async read({ after, limit, types, subject }: Parameters<EventFeed["read"]>[0]): Promise<readonly LoggedEvent[]> {
    this.reads += 1;
    const rows = this.events.filter(
      (event) => event._id > after && (types?.includes(event.type) ?? true) && (subject === undefined || event.subject === subject),
    );
    this.duringRead();
    await nextTurn();
    return rows.slice(0, limit);
  }

  isShared = false;
  /** How many of the oldest retention has deleted. */
  deleted = 0;

  delete(count: number): void {
    this.deleted += count;
    this.events.splice(0, count);
  }

  async kept() {
    return { first: this.events[0]?._id ?? "", last: this.lastId() };
  }

  lastId(): string {
    return this.events.at(-1)?._id ?? "";
  }

  subscribe(listener: (events: readonly LoggedEvent[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export function following(log: MemoryLog, settings: Partial<FollowSettings> = {}) {
  const clock = new VirtualClock();
  const leaving = new AbortController();
  const batches = followEvents(log, clock, { after: "", filter: {}, idleMs: 15_000, signal: leaving.signal, ...settings });
  const take = async (count: number): Promise<readonly number[]> => {
    const numbers: number[] = [];
    while (numbers.length < count) {
      const next = await batches.next();
      if (next.done) break;
      if ("before" in next.value) numbers.push(-Number(next.value.after), -Number(next.value.before));
      else numbers.push(...next.value.map((event) => Number(event._id)));
    }
    return numbers;
  };
  return { clock, leaving, batches, take };
}

export async function readEvents(
  response: Response,
  count: number,
): Promise<readonly { id: string; event: string; data: { id: string } }[]> {
  const reader = (response.body ?? assert.fail("no stream")).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const blocks = text.split("\n\n").slice(0, -1);
    const events = blocks.filter((block) => block.startsWith("id:"));
    if (events.length >= count) {
      await reader.cancel();
      return events.map((block) => {
        const [id, event, data] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
        return { id: id ?? "", event: event ?? "", data: JSON.parse(data ?? "") };
      });
    }
    const { value, done } = await reader.read();
    if (done) assert.fail(`the stream ended after ${JSON.stringify(text)}`);
    text += value;
  }
}

export async function anEventDoor(t: Parameters<typeof aDoor>[0], maxStreams = 10) {
  const log = new MemoryLog();
  return { log, ...(await aDoor(t, eventRoutes({ log, clock: new VirtualClock(), maxStreams }))) };
}
