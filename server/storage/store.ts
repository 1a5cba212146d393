/** The opened store: collections, blobs and the time-series port; `app.ts` picks the engine, nobody else knows which it is. */
import type { Collection, CollectionDefinition, StoredDocument } from "./collection.ts";

export interface Store {
  /** The same object for the same name; the definition must be one of those the store was opened with. */
  collection<T extends StoredDocument>(definition: CollectionDefinition): Collection<T>;
  readonly blobs: BlobStore;
  readonly telemetry: TelemetryStore;
  /** Other processes may work on it at the same time; absent where a lock keeps them out. */
  readonly isShared?: true;
  /** Collections take what goes beside a write; absent where an engine has no such commit. */
  readonly commitsTogether?: true;
  /** Resolves when a write and a read went through the engine just now; rejects otherwise. */
  probe(): Promise<void>;
  /** Rewrites the files in which what was changed or deleted can still be read; absent where that is not in this process's hands. Takes long. */
  readonly eraseLeftovers?: () => Promise<void>;
  /** Housekeeping for once an hour: takes over the write-ahead log into the file and gives its space back; absent where there is none. */
  readonly shortenLog?: () => Promise<void>;
  /** Copies documents and points, not blobs, as of one moment, to a file that must not be there; absent where the engine has its own way. */
  readonly copyTo?: (file: string) => Promise<void>;
  close(): Promise<void>;
}

/** Content-addressed: the same bytes are kept once. */
export interface BlobStore {
  /** Streams in, digests, and makes durable; more than `maxBytes` keeps nothing. */
  put(chunks: AsyncIterable<Uint8Array>, limits: { readonly maxBytes: number }): Promise<PutBlobOutcome>;
  find(sha256: string): Promise<Blob | undefined>;
  delete(sha256: string): Promise<void>;
}

export type PutBlobOutcome =
  | { readonly ok: true; readonly sha256: string; readonly sizeBytes: number }
  | { readonly ok: false; readonly reason: "too-large" };

export interface Blob {
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Exactly `length` bytes; `offset + length` must not exceed the size. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** One value of one resource (instance) of one device at one time. */
export interface TelemetryPoint {
  readonly endpoint: string;
  /** `/3303/0/5700` */
  readonly path: string;
  /** When the device took it, or when it arrived; epoch milliseconds. */
  readonly timeMs: number;
  readonly receivedMs: number;
  /** The REST form of the value (`protocol/lwm2m/json-value.ts`). */
  readonly value: import("./collection.ts").Json;
}

export interface TelemetryStore {
  /** Resolves when all points are durable; a point with the same endpoint, path and time replaces the earlier one. */
  append(points: readonly TelemetryPoint[]): Promise<void>;
  /** Oldest first within [fromMs, toMs); at most `limit` (1–10,000). */
  range(query: {
    readonly endpoint: string;
    readonly path: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly limit: number;
  }): Promise<readonly TelemetryPoint[]>;
  /** The points of [fromMs, toMs) by steps of `stepMs` from `fromMs` on, oldest first; a step without points is left out. */
  downsample(query: DownsampleQuery): Promise<readonly TelemetryStep[]>;
  /** The series that have or had points, by path, then endpoint name. */
  series(query: SeriesQuery): Promise<readonly SeriesName[]>;
  /** Every point of every series, in pages, for an export; absent where the engine cannot list them. */
  readonly all?: () => AsyncIterable<readonly TelemetryPoint[]>;
  /** Retention: deletes what was taken and arrived earlier, in steps that let others have their turn, and says how many; absent where the engine does it by itself. */
  readonly deleteBefore?: (timeMs: number) => Promise<number>;
}

export interface SeriesName {
  readonly endpoint: string;
  /** `/3303/0/5700` */
  readonly path: string;
}

export interface SeriesQuery {
  /** Only of this device. */
  readonly endpoint?: string;
  /** Only this path and those below it: `/3303`, `/3303/0/5700`. */
  readonly under?: string;
  /** The last one of the page before. */
  readonly after?: SeriesName;
  /** 1–10,000. */
  readonly limit: number;
}

export interface DownsampleQuery {
  readonly endpoint: string;
  readonly path: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Above 0. */
  readonly stepMs: number;
  /** Steps at most (1–10,000). */
  readonly limit: number;
}

export interface TelemetryStep {
  readonly fromMs: number;
  /** Of all points in it. */
  readonly count: number;
  readonly first: import("./collection.ts").Json;
  readonly last: import("./collection.ts").Json;
  /** Of those that are numbers (a 64-bit integer that JSON would round is text, and none); undefined without any. */
  readonly numbers: { readonly count: number; readonly min: number; readonly max: number; readonly sum: number } | undefined;
}

/** The store cannot be opened; the message is one line for the person who started the server. */
export class StoreOpenError extends Error {
  /** Another process uses it right now. */
  readonly isInUse: boolean;

  constructor(message: string, isInUse = false) {
    super(message);
    this.name = "StoreOpenError";
    this.isInUse = isInUse;
  }
}
