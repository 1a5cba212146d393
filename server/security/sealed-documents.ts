/** Documents with sealed fields, and the keys they need: opened at start, sealed anew when the first key of the file is another one. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { StartError } from "../start-error.ts";
import type { CollectionDefinition, IndexDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { SecretBox } from "./secret-box.ts";
import { findSecretKeys, makeSecretKey, type SecretKeyFileSettings, type SecretKeys, secretKeyPath } from "./secret-key-file.ts";

/** The part of a document that is sealed; every field under the same key. */
export interface Sealed {
  /** Sealed texts by the name of the field. */
  readonly secrets: { readonly [field: string]: string };
  /** The id of that key. */
  readonly sealedBy: string;
}

/** Every collection with sealed fields declares it. */
export const sealedByIndex: IndexDefinition = { name: "sealedBy", fields: ["sealedBy"] };

/** One document per key that ever sealed something here and may still be needed. Written before the key is first used. */
export const sealingKeyCollection: CollectionDefinition = { name: "sealingKeys", indexes: [] };

/** How far those have come who seal what an earlier version stored in the clear; each has a document of its own. */
export const clearTextCollection: CollectionDefinition = { name: "clearText", indexes: [] };

interface SealingKey extends StoredDocument {
  readonly firstUsedAt: number;
}

export interface OpenSecretsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyFile: SecretKeyFileSettings;
}

const pageSize = 500;

/** Rejects with `StartError` when a key that sealed stored data is missing: nothing is sealed under a new one then. */
export async function openSecretBox({ store, clock, random, keyFile }: OpenSecretsDeps): Promise<SecretBox> {
  const used = store.collection<SealingKey>(sealingKeyCollection);
  const needed = (await used.find({}, { limit: 1_000 })).map(({ _id }) => _id);
  const keys = (await findSecretKeys(keyFile)) ?? (await firstKeys(keyFile, needed, random));
  const missing = needed.filter((needle) => !keys.some(({ id }) => id === needle));
  if (missing.length > 0) {
    throw new StartError(
      `${secretKeyPath(keyFile)} lacks the key${missing.length > 1 ? "s" : ""} ${missing.join(", ")} that stored secrets are encrypted with; add the former key as a further line`,
    );
  }
  await used.updateOne({ _id: keys[0].id }, { $setOnInsert: { firstUsedAt: clock.now() } }, { upsert: true });
  return new SecretBox(keys, random);
}

async function firstKeys(keyFile: SecretKeyFileSettings, needed: readonly string[], random: Random): Promise<SecretKeys> {
  const path = secretKeyPath(keyFile);
  if (needed.length > 0) {
    throw new StartError(`${path} is not there, and stored secrets are encrypted with the key ${needed.join(", ")}; put it back`);
  }
  if (keyFile.file !== undefined)
    throw new StartError(`SECRET_KEY_FILE ${path} is not there; make one by: openssl rand -base64 32 > ${path}`);
  return makeSecretKey(keyFile, random);
}

/**
 * Seals under the present key what former ones sealed, and forgets those; returns how many documents changed. At start, before anybody
 * writes. A crash in between leaves documents under either key, and the next start goes on.
 */
export async function sealAnew(store: Store, box: SecretBox, definitions: readonly CollectionDefinition[]): Promise<number> {
  const used = store.collection<SealingKey>(sealingKeyCollection);
  const former = (await used.find({}, { limit: 1_000 })).map(({ _id }) => _id).filter((id) => id !== box.keyId);
  let changed = 0;
  for (const keyId of former) {
    for (const definition of definitions) changed += await sealCollectionAnew(store, box, definition, keyId);
    await used.deleteOne({ _id: keyId });
  }
  return changed;
}

async function sealCollectionAnew(store: Store, box: SecretBox, definition: CollectionDefinition, keyId: string): Promise<number> {
  const collection = store.collection<StoredDocument & Sealed>(definition);
  // Where few documents have sealed fields, only those are in the index.
  const { where } = definition.indexes.find(({ name }) => name === sealedByIndex.name) ?? {};
  const sealed = where === undefined ? {} : { [where.field]: where.equals };
  let changed = 0;
  for (;;) {
    const documents = await collection.find({ ...sealed, sealedBy: keyId }, { limit: pageSize });
    if (documents.length === 0) return changed;
    await collection.bulkWrite(
      documents.map((document) => ({
        updateOne: {
          filter: { _id: document._id, sealedBy: keyId },
          update: { $set: { ...sealFields(box, definition, document._id, openFields(box, definition, document)) } },
        },
      })),
    );
    changed += documents.length;
  }
}

export function sealFields(
  box: SecretBox,
  { name: collection }: CollectionDefinition,
  document: string,
  fields: { readonly [field: string]: Uint8Array },
): Sealed {
  const secrets: { [field: string]: string } = {};
  for (const [field, plain] of Object.entries(fields)) secrets[field] = box.seal(plain, { collection, document, field });
  return { secrets, sealedBy: box.keyId };
}

/** Throws `SecretBoxError`. */
export function openFields(
  box: SecretBox,
  { name: collection }: CollectionDefinition,
  { _id: document, secrets }: StoredDocument & Pick<Sealed, "secrets">,
): { readonly [field: string]: Uint8Array } {
  const fields: { [field: string]: Uint8Array } = {};
  for (const [field, sealed] of Object.entries(secrets)) fields[field] = box.open(sealed, { collection, document, field });
  return fields;
}
