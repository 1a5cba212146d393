/** What Write-Attributes has said to devices in their present registration: whether a device keeps that over the next one no standard says. */
import type { AttributeChanges } from "@lwm2m/protocol/lwm2m/attributes";
import type { Registration } from "../registration/registration.ts";
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { mergedChanges, type WrittenLevels } from "./attributes-in-force.ts";

export const writtenAttributeCollection: CollectionDefinition = { name: "writtenAttributes", indexes: [] };

interface WrittenAttributesOf extends StoredDocument {
  /** The endpoint name. */
  readonly _id: string;
  readonly registeredAt: number;
  readonly levels: WrittenLevels;
}

/** Paths of one device; what is written to more of them is not known here. */
const mostPaths = 256;

export class WrittenAttributes {
  readonly #devices: Collection<WrittenAttributesOf>;

  constructor(store: Store) {
    this.#devices = store.collection<WrittenAttributesOf>(writtenAttributeCollection);
  }

  async find({ _id, registeredAt }: Pick<Registration, "_id" | "registeredAt">): Promise<WrittenLevels> {
    const found = await this.#devices.findOne({ _id });
    return found?.registeredAt === registeredAt ? found.levels : {};
  }

  /** The same at each path. Returns all there are. One exchange at a time is in the air at a device, so nobody else writes meanwhile. */
  async note(
    registration: Pick<Registration, "_id" | "registeredAt">,
    paths: readonly string[],
    changes: AttributeChanges,
  ): Promise<WrittenLevels> {
    const { _id, registeredAt } = registration;
    const before = await this.find(registration);
    const written = paths.map((path) => [path, mergedChanges(before[path], changes)] as const);
    const levels: WrittenLevels = { ...before, ...Object.fromEntries(written) };
    if (Object.keys(levels).length > mostPaths) return before;
    await this.#devices.updateOne({ _id }, { $set: { registeredAt, levels } }, { upsert: true });
    return levels;
  }

  /** The device was deleted. */
  async forget(endpoint: string): Promise<void> {
    await this.#devices.deleteOne({ _id: endpoint });
  }
}
