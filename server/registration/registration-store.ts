import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { SecuredPeers } from "../doors/secured-peers.ts";
import type { EventDraft } from "../events/event.ts";
import type { EventWrites } from "../events/event-writes.ts";
import { outboxIndex } from "../events/outbox.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import { RecentDocuments } from "../storage/recent-documents.ts";
import type { Store } from "../storage/store.ts";
import type { Registration } from "./registration.ts";
import type { NewRegistration, UpdatedFields } from "./registration-machine.ts";

export const registrationCollection: CollectionDefinition = {
  name: "registrations",
  indexes: [{ name: "location", fields: ["locationId"], unique: true }, { name: "expiry", fields: ["expiresAt"] }, outboxIndex],
};

/** The last registration of a device: live, or gone and since when. */
export interface StoredRegistration extends Registration {
  readonly gone: { readonly reason: GoneReason; readonly at: number } | null;
  /** Between the last two Updates, milliseconds: the habit of the device; null until it has shown one. */
  readonly contactIntervalMs: number | null;
  /** When the sweeper looks whether it is over: not after `expiresAt`. */
  readonly alarmAt: number | null;
}

/** Of a secured device by the number of its association: what that is now, DTLS knows. */
interface StoredAddress {
  readonly address: string;
  readonly port: number;
  readonly association?: number;
}

/** As it is stored. */
export type RegistrationDocument = Omit<StoredRegistration, "address" | "alarmAt"> & {
  readonly address: StoredAddress;
  /** Indexed: the alarm. */
  readonly expiresAt: number | null;
  /** The end of the lifetime where the alarm stands before it. */
  readonly endsAt?: number | null;
};

type ChangedFields = UpdatedFields & {
  readonly alarmAt?: number | null;
  readonly contactIntervalMs?: number;
  readonly barredAt?: number | null;
};

export type GoneReason = "deregistered" | "expired";

const pageSize = 250;
/** Registrations that need not be read, about 1.5 kB each: of the devices that were heard of last. */
const rememberedRegistrations = 20_000;

export interface RegistrationStoreDeps {
  readonly store: Store;
  readonly relay: Pick<OutboxRelay, "writes">;
  readonly owner: ProcessOwner;
}

export class RegistrationStore {
  readonly #registrations: Collection<RegistrationDocument>;
  readonly #writes: EventWrites<RegistrationDocument>;
  readonly #locate: SecuredPeers["find"];
  readonly #owner: ProcessOwner;
  /** By endpoint. */
  readonly #recent: RecentDocuments<RegistrationDocument>;
  /** Whose a location is, and always was. */
  readonly #endpoints: RecentDocuments<string>;

  constructor({ store, relay, owner }: RegistrationStoreDeps, { find }: Pick<SecuredPeers, "find">) {
    this.#registrations = store.collection<RegistrationDocument>(registrationCollection);
    this.#writes = relay.writes(this.#registrations);
    this.#locate = find;
    this.#owner = owner;
    const remembered = store.isShared === true || owner.isShared ? 0 : rememberedRegistrations;
    this.#recent = new RecentDocuments(remembered);
    this.#endpoints = new RecentDocuments(remembered);
  }

  /** Live or gone. */
  async findLast(endpoint: string): Promise<StoredRegistration | undefined> {
    return this.#shown(await this.#recent.find(endpoint, () => this.#registrations.findOne({ _id: endpoint })));
  }

  async findByLocation(locationId: string): Promise<StoredRegistration | undefined> {
    const endpoint = this.#endpoints.peek(locationId);
    if (endpoint === undefined) {
      const found = await this.#registrations.findOne({ locationId });
      if (found !== undefined) this.#endpoints.put(locationId, found._id);
      return this.#shown(found);
    }
    const last = await this.findLast(endpoint);
    return last?.locationId === locationId ? last : undefined;
  }

  /** Takes the place of whatever was registered before. */
  async replace(registration: NewRegistration, event: EventDraft): Promise<void> {
    const { _id, address, ...fields } = registration;
    const update: Update = {
      $set: { ...fields, ...this.#place(address), endsAt: fields.expiresAt, gone: null, contactIntervalMs: null, barredAt: null },
      ...(fields.smsNumber === undefined ? { $unset: { smsNumber: true } } : {}),
      $inc: { rev: 1 },
    };
    // Until it is known how it ended, nobody builds on it.
    this.#recent.drop(_id);
    const stored = await this.#writes.findOneAndUpdate({ filter: { _id }, update, events: [event] }, { upsert: true });
    if (stored === undefined) throw new Error(`the registration of ${_id} is not there after its upsert`);
    // The first Update is mostly not far.
    this.#recent.put(_id, stored);
    this.#endpoints.put(stored.locationId, _id);
  }

  /** False when the registration changed in the meantime. */
  async update(
    { _id, rev, alarmAt: before }: Pick<StoredRegistration, "_id" | "rev" | "alarmAt">,
    { address, expiresAt, alarmAt, ...fields }: ChangedFields,
    events: readonly EventDraft[],
  ): Promise<boolean> {
    const set = {
      ...fields,
      ...(address === undefined ? {} : this.#place(address)),
      ...(expiresAt === undefined ? {} : { endsAt: expiresAt }),
      ...(alarmAt === undefined || alarmAt === before ? {} : { expiresAt: alarmAt }),
    };
    const known = this.#recent.peek(_id);
    // Until it is known how it ended, nobody builds on it.
    this.#recent.drop(_id);
    const outcome = await this.#writes.updateOne({ filter: { _id, rev }, update: { $set: set, $inc: { rev: 1 } }, events });
    if (outcome.matched > 0 && known?.rev === rev) this.#recent.put(_id, { ...known, ...set, rev: rev + 1 });
    else this.#recent.drop(_id);
    return outcome.matched > 0;
  }

  /** False when the registration changed in the meantime: then it is not gone. */
  async markGone(registration: StoredRegistration, reason: GoneReason, nowMs: number, event: EventDraft): Promise<boolean> {
    const { _id, rev } = registration;
    const update: Update = { $set: { gone: { reason, at: nowMs }, expiresAt: null, endsAt: null }, $inc: { rev: 1 } };
    try {
      const outcome = await this.#writes.updateOne({ filter: { _id, rev }, update, events: [event] });
      return outcome.matched > 0;
    } finally {
      this.#recent.drop(_id);
    }
  }

  /** The alarm of one whose lifetime is not over; one that changed meanwhile has seen to that itself. */
  async postpone({ _id, rev, expiresAt }: StoredRegistration): Promise<void> {
    try {
      await this.#registrations.updateOne({ _id, rev }, { $set: { expiresAt } });
    } finally {
      // Its revision stays, so that no comparison would tell.
      this.#recent.drop(_id);
    }
  }

  /** Live registrations whose alarm is due, the longest due first. */
  async findDue(nowMs: number, limit: number): Promise<readonly StoredRegistration[]> {
    const found = await this.#registrations.find({ expiresAt: { $lte: nowMs } }, { sort: { expiresAt: 1 }, limit });
    return found.map((document) => this.#shown(document));
  }

  async nextAlarm(): Promise<number | undefined> {
    const [first] = await this.#registrations.find({ expiresAt: { $gt: 0 } }, { sort: { expiresAt: 1 }, limit: 1 });
    return first?.expiresAt ?? undefined;
  }

  async *live(): AsyncGenerator<StoredRegistration> {
    let after = "";
    for (;;) {
      const page = await this.#registrations.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      for (const document of page) if (document.gone === null) yield this.#shown(document);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  /** Without those that are registered at another process: it would not be the peer they know that calls them. */
  async *liveHere(): AsyncGenerator<StoredRegistration> {
    const gone = new Map<string | undefined, boolean>();
    for await (const registration of this.live()) {
      const { owner } = registration;
      if (!gone.has(owner)) gone.set(owner, owner === this.#owner.name || (await this.#owner.isGone(owner)));
      if (gone.get(owner) === true) yield registration;
    }
  }

  /** Live registrations that name this object in a version that is meant. Looks at every one: for rare questions. */
  async countWithObject(objectId: number, isMeant: (version: string) => boolean): Promise<number> {
    let count = 0;
    for await (const { objects } of this.live()) {
      if (objects.some(({ id, version }) => id === objectId && isMeant(version))) count += 1;
    }
    return count;
  }

  async remove(endpoint: string): Promise<void> {
    try {
      await this.#registrations.deleteOne({ _id: endpoint });
    } finally {
      this.#recent.drop(endpoint);
    }
  }

  /** Whose device it is matters where there are several. */
  #place(address: SocketAddress): { readonly address: StoredAddress; readonly owner?: string } {
    return { address: storedAddress(address), ...(this.#owner.isShared ? { owner: this.#owner.name } : {}) };
  }

  #shown<D extends RegistrationDocument | undefined>(document: D): D extends RegistrationDocument ? StoredRegistration : undefined;
  #shown(document: RegistrationDocument | undefined): StoredRegistration | undefined {
    if (document === undefined) return undefined;
    const { address, port, association } = document.address;
    const { expiresAt: alarmAt, endsAt: expiresAt = alarmAt, ...stated } = document;
    const shown = { ...stated, expiresAt, alarmAt };
    if (association === undefined) return { ...shown, address: { address, port } };
    return { ...shown, address: this.#locate(association) ?? lost(address, port, association) };
  }
}

function storedAddress({ address, port, association }: SocketAddress): StoredAddress {
  return association === undefined ? { address, port } : { address, port, association: association.key };
}

/** Where the device was last: what is sent there finds no connection, and nothing leaves in the clear. */
function lost(address: string, port: number, key: number): SocketAddress {
  return { address, port, association: { key, identity: undefined, serverName: undefined, fresh: false } };
}
