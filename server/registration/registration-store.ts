import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { SecuredPeers } from "../doors/secured-peers.ts";
import type { EventDraft } from "../events/event.ts";
import { outboxIndex, withEvents } from "../events/outbox.ts";
import type { Collection, CollectionDefinition, Update } from "../storage/collection.ts";
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
}

/** Of a secured device by the number of its association: what that is now, DTLS knows. */
interface StoredAddress {
  readonly address: string;
  readonly port: number;
  readonly association?: number;
}

type Document = Omit<StoredRegistration, "address"> & { readonly address: StoredAddress };

export type GoneReason = "deregistered" | "expired";

const pageSize = 1_000;

export class RegistrationStore {
  readonly #registrations: Collection<Document>;
  readonly #locate: SecuredPeers["find"];

  constructor(store: Store, { find }: Pick<SecuredPeers, "find">) {
    this.#registrations = store.collection<Document>(registrationCollection);
    this.#locate = find;
  }

  /** Live or gone. */
  async findLast(endpoint: string): Promise<StoredRegistration | undefined> {
    return this.#shown(await this.#registrations.findOne({ _id: endpoint }));
  }

  async findByLocation(locationId: string): Promise<StoredRegistration | undefined> {
    return this.#shown(await this.#registrations.findOne({ locationId }));
  }

  /** Takes the place of whatever was registered before. */
  async replace(registration: NewRegistration, event: EventDraft): Promise<void> {
    const { _id, address, ...fields } = registration;
    const update: Update = {
      $set: { ...fields, address: storedAddress(address), gone: null, contactIntervalMs: null, barredAt: null },
      ...(fields.smsNumber === undefined ? { $unset: { smsNumber: true } } : {}),
      $inc: { rev: 1 },
    };
    await this.#registrations.updateOne({ _id }, withEvents(update, [event]), { upsert: true });
  }

  /** False when the registration changed in the meantime. */
  async update(
    { _id, rev }: Pick<Registration, "_id" | "rev">,
    { address, ...fields }: UpdatedFields & { readonly contactIntervalMs?: number; readonly barredAt?: number | null },
    events: readonly EventDraft[],
  ): Promise<boolean> {
    const set = address === undefined ? { ...fields } : { ...fields, address: storedAddress(address) };
    const outcome = await this.#registrations.updateOne({ _id, rev }, withEvents({ $set: set, $inc: { rev: 1 } }, events));
    return outcome.matched > 0;
  }

  /** False when the registration changed in the meantime: then it is not gone. */
  async markGone({ _id, rev }: StoredRegistration, reason: GoneReason, nowMs: number, event: EventDraft): Promise<boolean> {
    const update: Update = { $set: { gone: { reason, at: nowMs }, expiresAt: null }, $inc: { rev: 1 } };
    const outcome = await this.#registrations.updateOne({ _id, rev }, withEvents(update, [event]));
    return outcome.matched > 0;
  }

  /** Live registrations whose lifetime is over, the longest over first. */
  async findExpired(nowMs: number, limit: number): Promise<readonly StoredRegistration[]> {
    const found = await this.#registrations.find({ expiresAt: { $lte: nowMs } }, { sort: { expiresAt: 1 }, limit });
    return found.map((document) => this.#shown(document));
  }

  async nextExpiry(): Promise<number | undefined> {
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

  async remove(endpoint: string): Promise<void> {
    await this.#registrations.deleteOne({ _id: endpoint });
  }

  #shown<D extends Document | undefined>(document: D): D extends Document ? StoredRegistration : undefined;
  #shown(document: Document | undefined): StoredRegistration | undefined {
    if (document === undefined) return undefined;
    const { address, port, association } = document.address;
    if (association === undefined) return { ...document, address: { address, port } };
    return { ...document, address: this.#locate(association) ?? lost(address, port, association) };
  }
}

function storedAddress({ address, port, association }: SocketAddress): StoredAddress {
  return association === undefined ? { address, port } : { address, port, association: association.key };
}

/** Where the device was last: what is sent there finds no connection, and nothing leaves in the clear. */
function lost(address: string, port: number, key: number): SocketAddress {
  return { address, port, association: { key, identity: undefined, serverName: undefined, fresh: false } };
}
