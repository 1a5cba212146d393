/** The deviations each device needed to be let pass, with count and first and last time: what an operator tells its maker. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, Json, StoredDocument, Update } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import type { DeviceDoor, Leniency } from "./leniency.ts";

export const toleranceCollection: CollectionDefinition = { name: "tolerances", indexes: [] };

/** Codes are a closed set of stable names, so a document stays small whatever a device sends. */
interface DeviceTolerances extends StoredDocument {
  /** The endpoint name. */
  readonly _id: string;
  readonly codes: { readonly [code: string]: Tolerated };
}

export interface Tolerated {
  /** Messages that needed it. */
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Where it came in last. */
  readonly door: DeviceDoor;
}

export interface ToleranceLogDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly strict: boolean;
}

/** A device that deviates in every message must not write at every message; a crash loses a minute of counts. */
const writeEveryMs = 60_000;

interface Pending {
  readonly codes: Map<string, Tolerated>;
  /** Codes the store has. */
  readonly written: Set<string>;
  writtenAt: number;
}

export class ToleranceLog implements Leniency {
  readonly strict: boolean;
  readonly #deps: ToleranceLogDeps;
  readonly #devices: Collection<DeviceTolerances>;
  /** Only devices that deviate. */
  readonly #pending = new Map<string, Pending>();

  constructor(deps: ToleranceLogDeps) {
    this.#deps = deps;
    this.strict = deps.strict;
    this.#devices = deps.store.collection<DeviceTolerances>(toleranceCollection);
  }

  note(endpoint: string, door: DeviceDoor, codes: readonly string[]): void {
    if (codes.length === 0) return;
    const nowMs = this.#deps.clock.now();
    const pending = this.#pending.get(endpoint) ?? { codes: new Map(), written: new Set(), writtenAt: 0 };
    this.#pending.set(endpoint, pending);
    for (const code of new Set(codes)) {
      const { count = 0, firstAt = nowMs } = pending.codes.get(code) ?? {};
      pending.codes.set(code, { count: count + 1, firstAt, lastAt: nowMs, door });
    }
    const isNew = codes.some((code) => !pending.written.has(code));
    if (isNew || nowMs - pending.writtenAt >= writeEveryMs) {
      this.#deps.supervisor.run(this.#write(endpoint, pending), `note what was tolerated of ${endpoint}`);
    }
  }

  /** By code. */
  async find(endpoint: string): Promise<ReadonlyMap<string, Tolerated>> {
    const stored = await this.#devices.findOne({ _id: endpoint });
    const codes = new Map(Object.entries(stored?.codes ?? {}));
    for (const [code, more] of this.#pending.get(endpoint)?.codes ?? []) {
      const before = codes.get(code);
      codes.set(code, before === undefined ? more : { ...more, count: before.count + more.count, firstAt: before.firstAt });
    }
    return codes;
  }

  /** The field of `GET /devices/{endpoint}`. */
  async describe(endpoint: string): Promise<{ readonly tolerances: readonly Json[] }> {
    const found = [...(await this.find(endpoint))].sort(([a], [b]) => (a < b ? -1 : 1));
    const tolerances = found.map(([code, { count, firstAt, lastAt, door }]) => ({
      code,
      door,
      count,
      firstAt: formatInstant(firstAt),
      lastAt: formatInstant(lastAt),
    }));
    return { tolerances };
  }

  /** The device was deleted. */
  async forget(endpoint: string): Promise<void> {
    this.#pending.delete(endpoint);
    await this.#devices.deleteOne({ _id: endpoint });
  }

  /** Before the store. */
  async close(): Promise<void> {
    await Promise.all([...this.#pending].map(([endpoint, pending]) => this.#write(endpoint, pending)));
  }

  async #write(endpoint: string, pending: Pending): Promise<void> {
    const codes = [...pending.codes];
    if (codes.length === 0) return;
    pending.codes.clear();
    pending.writtenAt = this.#deps.clock.now();
    for (const [code] of codes) pending.written.add(code);
    const fieldsOf = <T>(name: string, take: (tolerated: Tolerated) => T): { readonly [path: string]: T } =>
      Object.fromEntries(codes.map(([code, tolerated]) => [`codes.${code}.${name}`, take(tolerated)]));
    const update: Update = {
      $inc: fieldsOf("count", ({ count }) => count),
      $min: fieldsOf("firstAt", ({ firstAt }) => firstAt),
      $max: fieldsOf("lastAt", ({ lastAt }) => lastAt),
      $set: fieldsOf("door", ({ door }) => door),
    };
    await this.#devices.updateOne({ _id: endpoint }, update, { upsert: true });
  }
}
