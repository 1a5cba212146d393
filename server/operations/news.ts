/** What the server learns of a device's values; the twin keeps it, the operations and observations only tell. */
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";

export type NewsSource = "read" | "notify" | "write" | "send";

export interface News {
  readonly source: NewsSource;
  readonly values: readonly PathValue[];
  /** All the device has under these paths was said: what was known there and is not among the values is gone. */
  readonly completeUnder?: readonly Lwm2mPath[];
  /** Epoch milliseconds. */
  readonly receivedAt: number;
}

/** Durable when it resolves. */
export type Learn = (endpoint: string, news: News) => Promise<void>;
