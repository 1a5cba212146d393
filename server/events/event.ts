/** What happened, for people and programs: CloudEvents 1.0 with a monotonic id (SSE resumes by it). */
import type { Beside, Json } from "../storage/collection.ts";

export const eventTypes = [
  "device.created",
  "device.registered",
  "device.updated",
  "device.deregistered",
  "device.expired",
  "device.awake",
  "device.asleep",
  "device.barred",
  "device.quarantined",
  "device.claimed",
  "device.refused",
  "security.identityMismatch",
  "security.handshakesFailed",
  "bootstrap.started",
  "bootstrap.finished",
  "bootstrap.failed",
  "credential.created",
  "credential.replaced",
  "credential.removed",
  "operation.queued",
  "operation.sent",
  "operation.succeeded",
  "operation.failed",
  "operation.expired",
  "operation.cancelled",
  "observation.started",
  "observation.ended",
  "observation.refused",
  "observation.paused",
  "observation.silent",
  "observation.created",
  "observation.changed",
  "observation.removed",
  "resource.changed",
  "send.refused",
  "send.incomplete",
  "twin.diverged",
  "twin.converged",
  "update.changed",
] as const;

export type EventType = (typeof eventTypes)[number];

/** An event as its author writes it, inside the document that changed (`outbox`). */
export interface EventDraft {
  /** Unique for ever, derived from (document, rev): relaying twice adds one event. */
  readonly key: string;
  readonly type: EventType;
  /** The endpoint name, or an id of what changed. */
  readonly subject: string;
  readonly timeMs: number;
  readonly data: Json;
}

/** An event of the log. `_id` is a decimal number of 16 digits that only grows. */
export interface LoggedEvent extends Omit<EventDraft, "key"> {
  readonly _id: string;
  readonly sourceKey: string;
}

/** Fields every document with an outbox has; `hasOutbox` is indexed so that the relay finds what a crash left behind. */
export interface WithOutbox {
  readonly outbox: readonly EventDraft[];
  readonly hasOutbox: boolean;
}

export interface EventLog {
  /** Durable when it resolves. For events with no document of their own; others go through `EventWrites`. */
  append(drafts: readonly EventDraft[]): Promise<void>;
  /** Events that go beside a write, in its commit; absent where the engine has no such commit. */
  readonly appendBeside?: AppendBeside;
  /** Oldest first, after an id ("" from the beginning). */
  read(query: {
    readonly after: string;
    readonly limit: number;
    readonly types?: readonly EventType[];
    readonly subject?: string;
  }): Promise<readonly LoggedEvent[]>;
  /** The id of the newest event of this process, "" when there is none. */
  lastId(): string;
  /** Called after events became durable, in order; returns how to stop. */
  subscribe(listener: (events: readonly LoggedEvent[]) => void): () => void;
}

/** `write` begins its write before it returns, with what it is given; `hasApplied` says of the outcome whether the events are there now. */
export type AppendBeside = <R>(
  drafts: readonly EventDraft[],
  write: (beside: Beside) => Promise<R>,
  hasApplied: (outcome: R) => boolean,
) => Promise<R>;

/** What the event feed needs beside. */
export interface EventFeed extends EventLog {
  /** The ids of the oldest and of the newest event that are kept, "" when there is none. */
  kept(): Promise<{ readonly first: string; readonly last: string }>;
  /** Other processes write to it too: listeners do not hear of what those append. */
  readonly isShared: boolean;
}
