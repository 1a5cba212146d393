/**
 * What has changed in stored documents from version to version of the schema, and how documents are brought forward at the start:
 * on the embedded store all steps in one transaction, on MongoDB one after the other, where a step that was cut short runs
 * again from its beginning.
 */
import type { StoredDocument } from "./collection.ts";

export interface SchemaStep {
  /** Brings documents from version `to - 1` to this one. */
  readonly to: number;
  /** The name of the collection. */
  readonly collection: string;
  /**
   * What becomes of a document, under the same `_id`; undefined: it stays as it is. Undefined too for what the step has
   * changed already: it may meet its own work.
   */
  readonly change: (document: StoredDocument) => StoredDocument | undefined;
}

/** The oldest version there is: what has no version on it was written by it. */
export const firstVersion = 1;

/** By version, each the one before plus one. */
export const schemaSteps: readonly SchemaStep[] = [
  // Documents stay. The embedded store keeps indexed fields in columns from here on, which servers before would not keep up.
  { to: 2, collection: "registrations", change: () => undefined },
];

export function newestVersion(steps: readonly SchemaStep[]): number {
  return steps.at(-1)?.to ?? firstVersion;
}

/** The version found at the opening, and the one it has now. */
export interface SchemaChange {
  readonly from: number;
  readonly to: number;
}

/** The data was written by a newer version of this server. */
export class NewerSchemaError extends Error {
  constructor(found: number, known: number) {
    super(`its schema is version ${found}, this server knows up to ${known}`);
    this.name = "NewerSchemaError";
  }
}

/** Those that are left to do; throws `NewerSchemaError`. */
export function stepsFrom(found: number, steps: readonly SchemaStep[]): readonly SchemaStep[] {
  const newest = newestVersion(steps);
  if (found > newest) throw new NewerSchemaError(found, newest);
  return steps.filter(({ to }) => to > found);
}

/** Throws where a step would give a document another name. */
export function changed({ change, collection, to }: SchemaStep, document: StoredDocument): StoredDocument | undefined {
  const result = change(document);
  if (result !== undefined && result._id !== document._id) {
    throw new Error(`the step of ${collection} to version ${to} renames ${document._id} to ${result._id}`);
  }
  return result;
}
