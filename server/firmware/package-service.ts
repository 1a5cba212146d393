/** Firmware packages: taken in as a stream, kept once per content, never changed. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Blob, Store } from "../storage/store.ts";
import { ulid } from "../ulid.ts";
import type { FirmwarePackage } from "./package.ts";
import { PackageStore } from "./package-store.ts";

/** Bytes: larger than any image a constrained device takes, small enough for the disk of a small server. */
export const maxPackageBytes = 104_857_600;

export type AddPackageOutcome =
  | { readonly ok: true; readonly package: FirmwarePackage }
  | { readonly ok: false; readonly reason: "too-large" | "empty" }
  | { readonly ok: false; readonly reason: "exists"; readonly existing: FirmwarePackage; readonly sha256: string };

export interface PackageService {
  /** The largest package taken. */
  readonly maxBytes: number;
  newId(): string;
  /** `id`: promised before. The digest of what came is in the outcome also where there is such a package. */
  add(
    facts: { readonly name: string; readonly version: string; readonly createdBy: string },
    bytes: AsyncIterable<Uint8Array>,
    id?: string,
  ): Promise<AddPackageOutcome>;
  find(id: string): Promise<FirmwarePackage | undefined>;
  page(limit: number, after: string | undefined): Promise<readonly FirmwarePackage[]>;
  open(sha256: string): Promise<Blob | undefined>;
  /** False, and the package stays: somebody needs it, even somebody who came while it was being deleted. */
  delete(pack: FirmwarePackage, isNeeded: () => Promise<boolean>): Promise<boolean>;
}

export function openPackageService(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Default `maxPackageBytes`. */
  readonly maxBytes?: number;
}): PackageService {
  const { store, clock, random, maxBytes = maxPackageBytes } = dependencies;
  const packages = new PackageStore(store);
  const newId = (): string => ulid(clock.now(), random);
  return {
    maxBytes,
    newId,
    async add(facts, bytes, id = newId()): Promise<AddPackageOutcome> {
      const blob = await store.blobs.put(bytes, { maxBytes });
      if (!blob.ok) return { ok: false, reason: "too-large" };
      if (blob.sizeBytes === 0) return { ok: false, reason: "empty" };
      const now = clock.now();
      const pack: FirmwarePackage = { _id: id, ...facts, sha256: blob.sha256, sizeBytes: blob.sizeBytes, createdAt: now };
      if (await packages.insert(pack)) return { ok: true, package: pack };
      const existing = await packages.findByVersion(facts.name, facts.version);
      if (existing === undefined) throw new Error(`package ${facts.name} ${facts.version} was refused as a duplicate of nothing`);
      return { ok: false, reason: "exists", existing, sha256: blob.sha256 };
    },
    find: (id) => packages.find(id),
    page: (limit, after) => packages.page(limit, after),
    open: (sha256) => store.blobs.find(sha256),
    async delete(pack, isNeeded): Promise<boolean> {
      if (await isNeeded()) return false;
      const { bytesStillUsed } = await packages.delete(pack);
      // Whoever began to need it before this found it still there; whoever begins later finds that it is gone.
      if (await isNeeded()) {
        await packages.insert(pack);
        return false;
      }
      if (!bytesStillUsed) await store.blobs.delete(pack.sha256);
      return true;
    },
  };
}
