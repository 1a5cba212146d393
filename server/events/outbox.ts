/** For authors of changes: events written inside the document they belong to, in the same update. */
import type { IndexDefinition, Update } from "../storage/collection.ts";
import type { EventDraft, WithOutbox } from "./event.ts";

/** Every collection whose documents have an outbox declares this index: the relay finds by it what a crash left behind. */
export const outboxIndex: IndexDefinition = { name: "outbox", fields: ["hasOutbox"], where: { field: "hasOutbox", equals: true } };

/**
 * Drafts with their keys. `source` names the document and its incarnation, `rev` the revision the change makes: the pair
 * must never come again, so a document that may be deleted and made anew needs something in `source` that differs then.
 */
export function draftEvents(source: string, rev: number, events: readonly Omit<EventDraft, "key">[]): readonly EventDraft[] {
  return events.map((event, position) => ({ ...event, key: `${source}/${rev}/${position}` }));
}

/** The update with the drafts added to the document's outbox. Afterwards the relay is nudged. */
export function withEvents(update: Update, drafts: readonly EventDraft[]): Update {
  if (drafts.length === 0) return update;
  return {
    ...update,
    $push: { ...update.$push, outbox: { $each: drafts } },
    $set: { ...update.$set, hasOutbox: true },
  };
}

/** The outbox fields of a new document. */
export function outboxOf(drafts: readonly EventDraft[]): WithOutbox {
  return { outbox: drafts, hasOutbox: drafts.length > 0 };
}
