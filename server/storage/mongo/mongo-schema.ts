/**
 * The version of the schema, in a document of its own, and the way forward: one step after the other, the version written behind
 * each. There are no transactions over a collection, so a step that was cut short runs again and meets its own work.
 */
import type { Db } from "mongodb";
import type { StoredDocument } from "../collection.ts";
import {
  changed,
  firstVersion,
  NewerSchemaError,
  newestVersion,
  type SchemaChange,
  type SchemaStep,
  schemaSteps,
  stepsFrom,
} from "../schema-steps.ts";
import { StoreOpenError } from "../store.ts";
import { fromBson, toBson } from "./bson-document.ts";

const collectionName = "schema";
const versionId = "documents";
/** Changed documents written in one call. */
const usualStep = 500;

interface VersionDocument {
  readonly _id: string;
  readonly version: number;
}

/** No server of another version may use the database meanwhile. Rejects with `StoreOpenError` where it is newer than this server. */
export async function migrate(database: Db, steps: readonly SchemaStep[] = schemaSteps, atOnce = usualStep): Promise<SchemaChange> {
  const versions = database.collection<VersionDocument>(collectionName);
  const setVersion = (version: number) => versions.updateOne({ _id: versionId }, { $set: { version } }, { upsert: true });
  const found = await versions.findOne({ _id: versionId });
  const to = newestVersion(steps);
  // Before versions were written there was one; in an empty database every step is done at once.
  const from = found?.version ?? firstVersion;
  for (const step of stepsLeft(from, steps)) {
    await takeStep(database, step, atOnce);
    await setVersion(step.to);
  }
  if (found === null) await setVersion(to);
  return { from, to };
}

function stepsLeft(from: number, steps: readonly SchemaStep[]): readonly SchemaStep[] {
  try {
    return stepsFrom(from, steps);
  } catch (error) {
    if (error instanceof NewerSchemaError) throw new StoreOpenError(`MONGO_URL: a newer server has used this database: ${error.message}`);
    throw error;
  }
}

async function takeStep(database: Db, step: SchemaStep, atOnce: number): Promise<void> {
  const collection = database.collection<{ readonly _id: string }>(step.collection);
  for (let after = ""; ; ) {
    const page = await collection
      .find({ _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(atOnce)
      .toArray();
    const writes = page.flatMap((document) => {
      // Written by the port, by nobody else.
      const result = changed(step, fromBson(document) as StoredDocument);
      if (result === undefined) return [];
      const { _id, ...replacement } = toBson(result);
      return [{ replaceOne: { filter: { _id: document._id }, replacement } }];
    });
    if (writes.length > 0) await collection.bulkWrite(writes, { ordered: false });
    const last = page.at(-1);
    if (last === undefined || page.length < atOnce) return;
    after = last._id;
  }
}
