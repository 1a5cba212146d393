import { type Collection, type CollectionDefinition, DuplicateKeyError, type StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { type Group, memberId } from "./group.ts";

export const groupCollection: CollectionDefinition = {
  name: "groups",
  indexes: [{ name: "name", fields: ["name"], unique: true }],
};

/** Of static groups: one document per member. */
export const groupMemberCollection: CollectionDefinition = {
  name: "groupMembers",
  indexes: [
    { name: "ofGroup", fields: ["group", "endpoint"] },
    { name: "ofDevice", fields: ["endpoint"] },
  ],
};

interface Membership extends StoredDocument {
  readonly group: string;
  readonly endpoint: string;
}

export class GroupStore {
  readonly #groups: Collection<Group>;
  readonly #members: Collection<Membership>;

  constructor(store: Store) {
    this.#groups = store.collection<Group>(groupCollection);
    this.#members = store.collection<Membership>(groupMemberCollection);
  }

  find(id: string): Promise<Group | undefined> {
    return this.#groups.findOne({ _id: id });
  }

  list(limit: number, after = ""): Promise<readonly Group[]> {
    return this.#groups.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit });
  }

  /** False: the name is taken. */
  async insert(group: Group): Promise<boolean> {
    return (await this.#groups.insertOne(group)).ok;
  }

  async change({ _id, rev }: Group, change: Partial<Pick<Group, "name" | "query" | "updatedAt">>): Promise<"changed" | "raced" | "taken"> {
    try {
      const outcome = await this.#groups.updateOne({ _id, rev }, { $set: change, $inc: { rev: 1 } });
      return outcome.matched > 0 ? "changed" : "raced";
    } catch (error) {
      if (error instanceof DuplicateKeyError) return "taken";
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    await this.#groups.deleteOne({ _id: id });
    await this.#members.deleteMany({ group: id });
  }

  async add(group: string, endpoints: readonly string[]): Promise<void> {
    if (endpoints.length === 0) return;
    await this.#members.bulkWrite(
      endpoints.map((endpoint) => ({
        updateOne: { filter: { _id: memberId(group, endpoint) }, update: { $set: { group, endpoint } }, upsert: true },
      })),
    );
  }

  async take(group: string, endpoints: readonly string[]): Promise<void> {
    if (endpoints.length === 0) return;
    await this.#members.bulkWrite(endpoints.map((endpoint) => ({ deleteOne: { filter: { _id: memberId(group, endpoint) } } })));
  }

  async members(group: string, limit: number, after: string): Promise<readonly string[]> {
    const found = await this.#members.find({ group, endpoint: { $gt: after } }, { sort: { endpoint: 1 }, limit });
    return found.map(({ endpoint }) => endpoint);
  }

  async isMember(group: string, endpoint: string): Promise<boolean> {
    return (await this.#members.findOne({ _id: memberId(group, endpoint) })) !== undefined;
  }

  async forgetDevice(endpoint: string): Promise<void> {
    await this.#members.deleteMany({ endpoint });
  }
}
