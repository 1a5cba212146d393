/** What an object means: the facts of an OMA object definition, without its prose (LwM2M Core 1.1 appendix D). */
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";

export interface ObjectDefinition {
  readonly id: number;
  readonly name: string;
  /** `major.minor`, e.g. `"1.1"`. */
  readonly version: string;
  /** `urn:oma:lwm2m:…`. */
  readonly urn: string;
  /** More than one instance may exist. */
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly resources: ReadonlyMap<number, ResourceDefinition>;
}

export interface ResourceDefinition {
  readonly id: number;
  readonly name: string;
  /** Empty: only the bootstrap server may touch it. */
  readonly operations: ResourceOperations;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  /** Undefined for an executable resource, and for the few the registry publishes without a type. */
  readonly type: ResourceType | undefined;
  /** Canonical (`range.ts`): `0..100`, `0,3..7`, `-20..50`; bytes for strings and opaque. Absent where nothing can be enforced. */
  readonly range?: string;
  readonly unit?: string;
}

export type ResourceOperations = "" | "R" | "W" | "RW" | "E";

export interface ObjectRegistry {
  /** The exact version, or without one the newest. */
  find(objectId: number, version?: string): ObjectDefinition | undefined;
  /** `major.minor`, oldest first; empty for an unknown object. */
  versionsOf(objectId: number): readonly string[];
  /** Every object in its newest version, by id; the same array until a definition is added, replaced or removed. */
  list(): readonly ObjectDefinition[];
}
