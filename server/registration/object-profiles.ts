/**
 * Profiles: an object list that devices name instead of sending it (`pid`, LwM2M Core 1.2 §6.2.1). What a profile stands for is told by an
 * operator: the text behind its hash has no canonical form, and what a device claims of a profile would be believed of every other.
 */
import { hiddenObjects } from "@lwm2m/protocol/lwm2m/register-payload";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { ObjectList } from "./registration-machine.ts";

export type ProfileObjects = ObjectList["objects"];

export interface ObjectProfile extends StoredDocument {
  /** The profile id: `6:27354b9a`, `oma:name`, `v:name`. */
  readonly _id: string;
  readonly objects: ProfileObjects;
  readonly updatedAt: number;
}

export const objectProfileCollection: CollectionDefinition = { name: "objectProfiles", indexes: [] };

/** Hash suite and at least 32 bits of hash, or a name (LwM2M Core 1.2 §6.2.1); as `pid` is read of devices. */
export const profileIdPattern = "^(?:[1-6]:[0-9a-f]{8,64}|(?:oma|v):[\\w.+-]{1,64})$";

export class ObjectProfiles {
  readonly #profiles: Collection<ObjectProfile>;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#profiles = store.collection<ObjectProfile>(objectProfileCollection);
    this.#clock = clock;
  }

  find(id: string): Promise<ObjectProfile | undefined> {
    return this.#profiles.findOne({ _id: id });
  }

  list(limit: number, after?: string): Promise<readonly ObjectProfile[]> {
    return this.#profiles.find(after === undefined ? {} : { _id: { $gt: after } }, { sort: { _id: 1 }, limit });
  }

  /** Durable when it resolves. Devices that are registered keep the list they have. */
  async set(id: string, objects: ProfileObjects): Promise<ObjectProfile> {
    const profile = { objects, updatedAt: this.#clock.now() };
    await this.#profiles.updateOne({ _id: id }, { $set: profile }, { upsert: true });
    return { _id: id, ...profile };
  }

  /** False when there was none. */
  async remove(id: string): Promise<boolean> {
    return (await this.#profiles.deleteOne({ _id: id })).deleted > 0;
  }

  /**
   * What the profiles and the list of a request come to together. A list beside a profile nobody knows is taken for the whole: a device
   * sends it so after 4.09. Undefined: there is no list, and a profile is not known.
   */
  async resolve(profileIds: readonly string[], list: ObjectList | undefined): Promise<ObjectList | undefined> {
    if (profileIds.length === 0) return list;
    const found = await Promise.all(profileIds.map((id) => this.find(id)));
    const known = found.filter((profile) => profile !== undefined);
    if (known.length < found.length) return list;
    const { rootPath = "", contentFormats = [], objects = [] } = list ?? {};
    return { rootPath, contentFormats, objects: mergeObjects([...known.map((profile) => profile.objects), objects]) };
  }
}

/** By object id; a later list says the version, instances come together. */
export function mergeObjects(lists: readonly ProfileObjects[]): ProfileObjects {
  const merged = new Map<number, ProfileObjects[number]>();
  for (const object of lists.flat()) {
    const before = merged.get(object.id);
    const instances = [...new Set([...(before?.instances ?? []), ...object.instances])].sort((a, b) => a - b);
    merged.set(object.id, { ...before, ...object, instances });
  }
  return [...merged.values()].sort((a, b) => a.id - b.id);
}

/** Where which rule is broken: an object once, none that is never shown to a server. */
export function findProfileFault(objects: ProfileObjects): { readonly pointer: string; readonly detail: string } | undefined {
  const seen = new Set<number>();
  for (const [position, { id }] of objects.entries()) {
    const pointer = `/objects/${position}/id`;
    if (hiddenObjects.has(id)) return { pointer, detail: `${pointer}: object ${id} is in no list (LwM2M Core 1.2 §6.2.1)` };
    if (seen.has(id)) return { pointer, detail: `${pointer}: object ${id} is there twice` };
    seen.add(id);
  }
  return undefined;
}
