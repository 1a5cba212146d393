/** A firmware package: facts about bytes that the blob store keeps once. */
import type { StoredDocument } from "../storage/collection.ts";

export interface FirmwarePackage extends StoredDocument {
  /** A ULID. */
  readonly _id: string;
  readonly name: string;
  /** What the device reports once it runs it (/3/0/3 or /5/0/7): compared exactly, never as a substring. */
  readonly version: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly createdBy: string;
}
