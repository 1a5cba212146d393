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

export type GoneReason = "deregistered" | "expired";

const pageSize = 1_000;

export class RegistrationStore {
  readonly #registrations: Collection<StoredRegistration>;

  constructor(store: Store) {
    this.#registrations = store.collection<StoredRegistration>(registrationCollection);
  }

  /** Live or gone. */
  findLast(endpoint: string): Promise<StoredRegistration | undefined> {
    return this.#registrations.findOne({ _id: endpoint });
  }

  findByLocation(locationId: string): Promise<StoredRegistration | undefined> {
    return this.#registrations.findOne({ locationId });
  }

  /** Takes the place of whatever was registered before. */
  async replace(registration: NewRegistration, event: EventDraft): Promise<void> {
    const { _id, ...fields } = registration;
    const update: Update = {
      $set: { ...fields, gone: null, contactIntervalMs: null },
      ...(fields.smsNumber === undefined ? { $unset: { smsNumber: true } } : {}),
      $inc: { rev: 1 },
    };
    await this.#registrations.updateOne({ _id }, withEvents(update, [event]), { upsert: true });
  }

  /** False when the registration changed in the meantime. */
  async update(
    { _id, rev }: StoredRegistration,
    fields: UpdatedFields & { readonly contactIntervalMs?: number },
    events: readonly EventDraft[],
  ): Promise<boolean> {
    const outcome = await this.#registrations.updateOne({ _id, rev }, withEvents({ $set: { ...fields }, $inc: { rev: 1 } }, events));
    return outcome.matched > 0;
  }

  /** False when the registration changed in the meantime: then it is not gone. */
  async markGone({ _id, rev }: StoredRegistration, reason: GoneReason, nowMs: number, event: EventDraft): Promise<boolean> {
    const update: Update = { $set: { gone: { reason, at: nowMs }, expiresAt: null }, $inc: { rev: 1 } };
    const outcome = await this.#registrations.updateOne({ _id, rev }, withEvents(update, [event]));
    return outcome.matched > 0;
  }

  /** Live registrations whose lifetime is over, the longest over first. */
  findExpired(nowMs: number, limit: number): Promise<readonly StoredRegistration[]> {
    return this.#registrations.find({ expiresAt: { $lte: nowMs } }, { sort: { expiresAt: 1 }, limit });
  }

  async nextExpiry(): Promise<number | undefined> {
    const [first] = await this.#registrations.find({ expiresAt: { $gt: 0 } }, { sort: { expiresAt: 1 }, limit: 1 });
    return first?.expiresAt ?? undefined;
  }

  async *live(): AsyncGenerator<StoredRegistration> {
    let after = "";
    for (;;) {
      const page = await this.#registrations.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
      yield* page.filter(({ gone }) => gone === null);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  async remove(endpoint: string): Promise<void> {
    await this.#registrations.deleteOne({ _id: endpoint });
  }
}
