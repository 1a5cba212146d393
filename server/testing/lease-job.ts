/** What the tests of leases work on. */
import type { CollectionDefinition } from "../storage/collection.ts";
import type { Leased } from "../storage/leases.ts";

export interface Job extends Leased {
  readonly writtenBy?: string;
  readonly writes?: number;
}

export const jobs: CollectionDefinition = { name: "jobs", indexes: [] };

export const leaseDurationMs = 60_000;
