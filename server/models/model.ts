/** Object models of the operator's own, beside those of the catalogue: the facts of their definition files, not the prose. */
import type { ObjectDefinition, ResourceDefinition } from "@lwm2m/object-registry/definition";

/** One object version as it is stored. */
export interface StoredModel {
  /** `32999/1.0` */
  readonly _id: string;
  readonly objectId: number;
  readonly version: string;
  readonly name: string;
  readonly urn: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  /** By id. */
  readonly resources: readonly ResourceDefinition[];
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export type ModelSource = "catalogue" | "own";

export const modelLimits = {
  /** Bytes of an uploaded file: what the parser reads (500,000 characters), each of them up to three bytes of UTF-8 in a name. */
  fileBytes: 1_500_000,
  /** Own object versions: about five times the catalogue; this many are looked through for every page of the list. */
  versions: 2_000,
  /** Resources of all own versions together, all kept in memory: about 30 MB. */
  resources: 100_000,
} as const;

export function modelKey(objectId: number, version: string): string {
  return `${objectId}/${version}`;
}

export function definitionOf(model: StoredModel): ObjectDefinition {
  const { objectId, version, name, urn, multiple, mandatory, resources } = model;
  const byId = new Map(resources.map((resource) => [resource.id, { ...resource, type: resource.type }]));
  return { id: objectId, version, name, urn, multiple, mandatory, resources: byId };
}

export function storedModel(definition: ObjectDefinition, facts: Pick<StoredModel, "createdAt" | "createdBy">): StoredModel {
  const { id, version, name, urn, multiple, mandatory, resources } = definition;
  return {
    _id: modelKey(id, version),
    objectId: id,
    version,
    name,
    urn,
    multiple,
    mandatory,
    resources: [...resources.values()],
    ...facts,
    updatedAt: facts.createdAt,
    updatedBy: facts.createdBy,
  };
}
