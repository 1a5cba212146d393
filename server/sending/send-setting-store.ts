import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { SendSetting } from "./send-setting.ts";

export const sendSettingCollection: CollectionDefinition = {
  name: "sendSettings",
  indexes: [{ name: "ofGroup", fields: ["group"] }],
};

/** More groups than these have no setting of their own. */
export const maxGroups = 1_000;

export class SendSettingStore {
  readonly #settings: Collection<SendSetting>;

  constructor(store: Store) {
    this.#settings = store.collection<SendSetting>(sendSettingCollection);
  }

  find(id: string): Promise<SendSetting | undefined> {
    return this.#settings.findOne({ _id: id });
  }

  async hasAny(): Promise<boolean> {
    return (await this.#settings.find({}, { limit: 1 })).length > 0;
  }

  /** Of groups, the oldest first; those that go as well. */
  async ofGroups(): Promise<readonly SendSetting[]> {
    const found = await this.#settings.find({ group: { $gt: "" } }, { limit: maxGroups });
    return found.toSorted((a, b) => a.createdAt - b.createdAt || (a._id < b._id ? -1 : 1));
  }

  async put(id: string, setting: Pick<SendSetting, "group" | "send" | "instance" | "pending">, nowMs: number): Promise<void> {
    const update = { $set: { ...setting, removed: false }, $setOnInsert: { createdAt: nowMs }, $inc: { rev: 1 } };
    await this.#settings.updateOne({ _id: id }, update, { upsert: true });
  }

  /** False: there is none. */
  async markRemoved(id: string): Promise<boolean> {
    const gone = { $set: { removed: true, pending: true }, $inc: { rev: 1 } };
    return (await this.#settings.updateOne({ _id: id, removed: false }, gone)).matched > 0;
  }

  /** Unless it changed meanwhile. */
  async settle({ _id, rev, removed }: SendSetting): Promise<void> {
    if (removed) await this.#settings.deleteOne({ _id, rev });
    else await this.#settings.updateOne({ _id, rev }, { $set: { pending: false } });
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#settings.deleteOne({ _id: id })).deleted > 0;
  }
}
