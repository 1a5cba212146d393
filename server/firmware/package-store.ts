import type { Collection, CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { FirmwarePackage } from "./package.ts";

export const packageCollection: CollectionDefinition = {
  name: "packages",
  indexes: [
    { name: "nameVersion", fields: ["name", "version"], unique: true },
    { name: "sha256", fields: ["sha256"] },
  ],
};

export class PackageStore {
  readonly #packages: Collection<FirmwarePackage>;

  constructor(store: Store) {
    this.#packages = store.collection<FirmwarePackage>(packageCollection);
  }

  find(id: string): Promise<FirmwarePackage | undefined> {
    return this.#packages.findOne({ _id: id });
  }

  /** False when a package of this name and version exists. */
  async insert(pack: FirmwarePackage): Promise<boolean> {
    return (await this.#packages.insertOne(pack)).ok;
  }

  findByVersion(name: string, version: string): Promise<FirmwarePackage | undefined> {
    return this.#packages.findOne({ name, version });
  }

  /** By id, oldest first. */
  page(limit: number, after: string | undefined): Promise<readonly FirmwarePackage[]> {
    return this.#packages.find(after === undefined ? {} : { _id: { $gt: after } }, { limit });
  }

  async delete(pack: FirmwarePackage): Promise<{ readonly bytesStillUsed: boolean }> {
    await this.#packages.deleteOne({ _id: pack._id });
    return { bytesStillUsed: (await this.#packages.findOne({ sha256: pack.sha256 })) !== undefined };
  }
}
