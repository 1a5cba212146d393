/** For tests in which nobody listens: events go into the outboxes of their documents and stay there. */
import { eventWrites } from "../events/event-writes.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";

export const noRelay: OutboxRelay = {
  writes: (collection) => eventWrites(collection, { log: {}, relay: noRelay }),
  nudge: () => {},
  settled: async () => {},
  close: async () => {},
};
