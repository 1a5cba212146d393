import type { Condition } from "../filter/filter.ts";
import { storeFilter } from "../filter/store-filter.ts";
import type { Collection, CollectionDefinition, Filter, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { conditionOf, type DeviceTraits, type GroupQuery, learnedTraits, plainTraits, tagFields } from "./group.ts";

export const traitCollection: CollectionDefinition = {
  name: "deviceTraits",
  indexes: [...learnedTraits, ...tagFields].map((field) => ({ name: field, fields: [field] })),
};

/** How far the traits follow the event log; no document: they are not kept. */
export const traitCursorCollection: CollectionDefinition = { name: "traitCursors", indexes: [] };

interface Cursor extends StoredDocument {
  readonly after: string;
}

/** Another one whenever there is a new trait: then all devices are looked at once more. */
const cursorId = "traits-with-lifetime";
const pageSize = 1_000;

export type LearnedTraits = Omit<DeviceTraits, "_id" | "tags">;

type StoredTraits = Pick<DeviceTraits, "_id"> & Partial<DeviceTraits>;

export class TraitStore {
  readonly #traits: Collection<StoredTraits>;
  readonly #cursors: Collection<Cursor>;

  constructor(store: Store) {
    this.#traits = store.collection<StoredTraits>(traitCollection);
    this.#cursors = store.collection<Cursor>(traitCursorCollection);
  }

  async find(endpoint: string): Promise<DeviceTraits | undefined> {
    const found = await this.#traits.findOne({ _id: endpoint });
    return found === undefined ? undefined : whole(found);
  }

  /** The tags stay as they are. */
  async learn(endpoint: string, learned: LearnedTraits): Promise<void> {
    await this.#traits.updateOne({ _id: endpoint }, { $set: { ...learned } }, { upsert: true });
  }

  async setTags(endpoint: string, tags: readonly string[]): Promise<void> {
    const fields = Object.fromEntries(tagFields.map((field, position) => [field, tags[position] ?? null]));
    await this.#traits.updateOne({ _id: endpoint }, { $set: { ...fields, tags } }, { upsert: true });
  }

  /**
   * Those that may fit, by endpoint name: every one that fits is among them, others may be too. An empty page is the end. One tag
   * narrows by its index; further ones are left to `fits`.
   */
  async candidates(query: GroupQuery, after: string): Promise<readonly DeviceTraits[]> {
    const { endpointPrefix = "", tags = [] } = query;
    const plain = plainTraits.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]] as const]));
    const [tag] = tags;
    const { $and, $or } = query.q === undefined ? {} : storeFilter(conditionOf(query.q), columnsOf);
    const any = tag === undefined ? $or : tagFields.map((field) => ({ [field]: tag }));
    const filter: Filter = {
      _id: { $gte: endpointPrefix, $gt: after },
      ...Object.fromEntries(plain),
      ...($and === undefined ? {} : { $and }),
      ...(any === undefined ? {} : { $or: any }),
    };
    const page = await this.#traits.find(filter, { sort: { _id: 1 }, limit: pageSize });
    // Names that begin alike stand together.
    return page.filter(({ _id }) => _id.startsWith(endpointPrefix)).map(whole);
  }

  /** The same for a filter alone. */
  async search(condition: Condition, after: string): Promise<readonly DeviceTraits[]> {
    const filter = { _id: { $gt: after }, ...storeFilter(condition, columnsOf) };
    return (await this.#traits.find(filter, { sort: { _id: 1 }, limit: pageSize })).map(whole);
  }

  async remove(endpoint: string): Promise<void> {
    await this.#traits.deleteOne({ _id: endpoint });
  }

  async cursor(): Promise<string | undefined> {
    return (await this.#cursors.findOne({ _id: cursorId }))?.after;
  }

  /** Traits are kept, in this version or an earlier one. */
  async isKept(): Promise<boolean> {
    return (await this.#cursors.find({}, { limit: 1 })).length > 0;
  }

  async moveCursor(after: string): Promise<void> {
    await this.#cursors.updateOne({ _id: cursorId }, { $set: { after } }, { upsert: true });
  }
}

/** Fields of a filter that stand elsewhere are looked at page by page. */
function columnsOf(field: string): readonly string[] | undefined {
  if (field === "endpoint") return ["_id"];
  if (field === "tags") return tagFields;
  return learnedTraits.some((name) => name === field) ? [field] : undefined;
}

function whole(stored: StoredTraits): DeviceTraits {
  const unknown = Object.fromEntries(learnedTraits.map((name) => [name, null])) as unknown as LearnedTraits;
  return { ...unknown, tags: [], ...stored };
}
