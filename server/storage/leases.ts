/**
 * Work on a document by one of several processes. Who claims it is its owner until a time; every claim has a higher epoch, and
 * a write under a lease names it, so what a process does that was frozen meanwhile and does not know it is refused by the store.
 *
 *   free --claim--> held (epoch + 1) --release--> free
 *                   held --renew--> held
 *                   held, its time over --claim by anybody--> held (epoch + 1)
 */
import type { Collection, Filter, StoredDocument, Update } from "./collection.ts";

export interface Lease {
  /** One per process and start, never used again. */
  readonly owner: string;
  /** Rises with every claim and is never reset. */
  readonly epoch: number;
  /** Epoch milliseconds; from then on anybody may claim it. */
  readonly until: number;
}

export interface Leased extends StoredDocument {
  /** Absent: never claimed. */
  readonly lease?: Lease;
}

export interface LeaseSettings {
  readonly owner: string;
  /** Longer than the clocks of the processes differ and a step takes. */
  readonly durationMs: number;
}

export class Leases<T extends Leased> {
  readonly #collection: Collection<T>;
  readonly #settings: LeaseSettings;

  constructor(collection: Collection<T>, settings: LeaseSettings) {
    this.#collection = collection;
    this.#settings = settings;
  }

  /** The document as it is now, held; undefined when none fits or another holds it. */
  async claim(filter: Filter, nowMs: number): Promise<(T & { readonly lease: Lease }) | undefined> {
    const { owner, durationMs } = this.#settings;
    const free = { $or: [{ "lease.until": { $exists: false } }, { "lease.until": { $lte: nowMs } }] };
    const held = await this.#collection.findOneAndUpdate(
      { ...filter, ...free },
      { $set: { "lease.owner": owner, "lease.until": nowMs + durationMs }, $inc: { "lease.epoch": 1 } },
    );
    return held?.lease === undefined ? undefined : { ...held, lease: held.lease };
  }

  /** False: the lease is another's meanwhile, and nothing was changed. */
  async write(held: T & { readonly lease: Lease }, update: Update): Promise<boolean> {
    const { owner, epoch } = held.lease;
    const { matched } = await this.#collection.updateOne({ _id: held._id, "lease.owner": owner, "lease.epoch": epoch }, update);
    return matched === 1;
  }

  renew(held: T & { readonly lease: Lease }, nowMs: number): Promise<boolean> {
    return this.write(held, { $set: { "lease.until": nowMs + this.#settings.durationMs } });
  }

  /** Free at once; the epoch stays, so that the next one is higher. */
  release(held: T & { readonly lease: Lease }): Promise<boolean> {
    return this.write(held, { $set: { "lease.until": 0 } });
  }
}
