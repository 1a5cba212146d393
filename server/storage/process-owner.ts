/**
 * Who works on the store: one owner per process and start, whose name stands in every claim (`Claim`).
 *
 * Where a lock keeps others out, every other owner is gone (`soleOwner`). On a store that several processes share an owner is alive
 * while the lease on its own document runs: one small write per process and third of the lease, however much it has claimed,
 * where a lease on each claim would be a write per claim in the air.
 *
 *   joined --renew--> joined
 *   joined, its time over --claim by another--> gone: its claims are taken over, then its document is deleted
 *   gone, and awake again --renew is refused--> joined under a new name
 *
 * So an owner is gone when another holds its document, or there is none: then it cannot renew any more. Its clock alone never
 * says so.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { ulid } from "../ulid.ts";
import type { CollectionDefinition } from "./collection.ts";
import { type Lease, type Leased, Leases } from "./leases.ts";
import type { Store } from "./store.ts";

/** On a document: whose work it is. Every write of that work is compare-and-set on `rev` besides, which refuses what comes late. */
export interface Claim {
  readonly owner: string;
  /** Rises with every claim of the document. */
  readonly epoch: number;
}

export function nextClaim(before: Claim | undefined, owner: string): Claim {
  return { owner, epoch: (before?.epoch ?? 0) + 1 };
}

export interface ProcessOwner {
  /** For claims made now; another one after this process was taken for gone. */
  readonly name: string;
  /** Others may work on the same store. */
  readonly isShared: boolean;
  /** False while others may take this process for gone: then nothing is claimed, and nothing claimed is sent. */
  isHeld(): boolean;
  /** Whether a claim may be taken over. One without an owner was made by an earlier version, which had the store to itself. */
  isGone(owner: string | undefined): Promise<boolean>;
  /** `takeOver` runs each time others were found gone; until it succeeds, it runs again. */
  onGone(takeOver: () => Promise<void>): void;
  /** After everything that claims: what it leaves behind may be taken over at once. */
  close(): Promise<void>;
}

export interface ProcessDocument extends Leased {
  /** The owner. */
  readonly _id: string;
  readonly startedAt: number;
}

export const processCollection: CollectionDefinition = { name: "processes", indexes: [{ name: "lapsed", fields: ["lease.until"] }] };

export function openProcessOwner(settings: SharedOwnerSettings): Promise<ProcessOwner> {
  return settings.store.isShared === true ? openSharedOwner(settings) : Promise.resolve(soleOwner(settings));
}

/** For a store with a lock. */
export function soleOwner({ clock, random }: { readonly clock: Clock; readonly random: Random }): ProcessOwner {
  const name = ulid(clock.now(), random);
  return {
    name,
    isShared: false,
    isHeld: () => true,
    isGone: async (owner) => owner !== name,
    onGone: () => {},
    close: async () => {},
  };
}

export interface SharedOwnerSettings {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Longer than the clocks of the processes differ. */
  readonly leaseMs: number;
  /** The store failed, or a take-over did; tried again by itself. */
  readonly onError: (error: unknown) => void;
  /** One line for the log: others were found gone, or this process was. */
  readonly onNews?: (message: string, owner: string) => void;
}

/** Renewed so often that two failures in a row do not end it. */
const renewalsPerLease = 3;
/** Processes found gone in one look. */
const lookLimit = 100;

type Held = ProcessDocument & { readonly lease: Lease };

/** Resolves when this process is known to the others and those that are gone are known to it. */
export async function openSharedOwner(settings: SharedOwnerSettings): Promise<ProcessOwner> {
  const owner = new SharedOwner(settings);
  await owner.join();
  await owner.look();
  owner.beatLater();
  return owner;
}

class SharedOwner implements ProcessOwner {
  readonly isShared = true;
  readonly #settings: SharedOwnerSettings;
  readonly #takeOvers: (() => Promise<void>)[] = [];
  /** Names never come again, so who is gone stays so. */
  readonly #gone = new Set<string>();
  /** Documents of processes that are gone, held until all they had is taken over. */
  #fallen: { readonly leases: Leases<ProcessDocument>; readonly held: Held }[] = [];
  /** Something may be there to take over: others are gone, or this process was. */
  #owes = false;
  #self: Held | undefined;
  #heldUntil = 0;
  /** The store was away: others could not renew either, and get the time to. */
  #patientUntil = 0;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  #closed = false;

  constructor(settings: SharedOwnerSettings) {
    this.#settings = settings;
  }

  get name(): string {
    if (this.#self === undefined) throw new Error("this process has not joined");
    return this.#self._id;
  }

  isHeld(): boolean {
    return this.#settings.clock.now() < this.#heldUntil;
  }

  async isGone(owner: string | undefined): Promise<boolean> {
    if (owner === undefined || this.#gone.has(owner)) return true;
    if (owner === this.#self?._id) return false;
    const found = await this.#processes().findOne({ _id: owner });
    if (found?.lease?.owner === owner) return false;
    this.#gone.add(owner);
    return true;
  }

  onGone(takeOver: () => Promise<void>): void {
    this.#takeOvers.push(takeOver);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#beating;
    for (const { leases, held } of this.#fallen) await leases.release(held);
    if (this.#self !== undefined) await this.#remove(this.#self);
  }

  async join(): Promise<void> {
    const { clock, random, leaseMs } = this.#settings;
    const nowMs = clock.now();
    const name = ulid(nowMs, random);
    const self = { _id: name, startedAt: nowMs, lease: { owner: name, epoch: 1, until: nowMs + leaseMs } };
    const outcome = await this.#processes().insertOne(self);
    if (!outcome.ok) throw new Error(`another process has the name ${name}`);
    this.#self = self;
    this.#heldUntil = nowMs + leaseMs;
  }

  /** Holds the documents of those whose time is over: from here on they cannot renew. */
  async look(): Promise<void> {
    const { clock, onNews } = this.#settings;
    const nowMs = clock.now();
    if (nowMs < this.#patientUntil) return;
    const leases = this.#leasesOf(this.name);
    for (const { _id } of await this.#processes().find({ "lease.until": { $lte: nowMs } }, { limit: lookLimit })) {
      const held = _id === this.name ? undefined : await leases.claim({ _id }, nowMs);
      if (held === undefined) continue;
      this.#gone.add(_id);
      this.#fallen.push({ leases, held });
      this.#owes = true;
      onNews?.("another process on this store is gone", _id);
    }
  }

  beatLater(): void {
    if (this.#closed) return;
    const { clock, leaseMs, onError } = this.#settings;
    this.#timer = clock.after(leaseMs / renewalsPerLease, () => {
      this.#beating = this.#beat()
        .catch((error: unknown) => {
          this.#patientUntil = clock.now() + leaseMs;
          onError(error);
        })
        .finally(() => {
          this.#beating = undefined;
          this.beatLater();
        });
    });
  }

  async #beat(): Promise<void> {
    await this.#renew();
    await this.look();
    if (!this.#owes || this.#takeOvers.length === 0) return;
    for (const takeOver of this.#takeOvers) await takeOver();
    for (const { held } of this.#fallen) await this.#remove(held);
    this.#fallen = [];
    this.#owes = false;
  }

  /** Joins anew, under another name, when others took this process for gone. */
  async #renew(): Promise<void> {
    const { clock, leaseMs, onNews } = this.#settings;
    const self = this.#self;
    if (self === undefined) throw new Error("this process has not joined");
    const nowMs = clock.now();
    if (await this.#leasesOf(self._id).renew(self, nowMs)) {
      this.#heldUntil = nowMs + leaseMs;
      return;
    }
    this.#gone.add(self._id);
    this.#owes = true;
    await this.join();
    onNews?.("others took this process for gone: what it had begun is theirs", self._id);
  }

  async #remove({ _id, lease }: Held): Promise<void> {
    await this.#processes().deleteOne({ _id, "lease.owner": lease.owner, "lease.epoch": lease.epoch });
  }

  #leasesOf(owner: string): Leases<ProcessDocument> {
    return new Leases(this.#processes(), { owner, durationMs: this.#settings.leaseMs });
  }

  #processes() {
    return this.#settings.store.collection<ProcessDocument>(processCollection);
  }
}
