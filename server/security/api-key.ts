/** The administrator key of the REST API: made at the first start, kept in `DATA_DIR/admin-key`, checked in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "@lwm2m/protocol/ports/random";
import { StartError } from "../start-error.ts";
import { closeToOthers, findOwnerFile, writeOnce } from "./owner-file.ts";

/** Makes a key that leaked into a file or a log recognisable to a scanner. */
const keyPrefix = "lwm2m_";
const keyBytes = 32;

export interface AdministratorKey {
  readonly key: string;
  /** Made by this start: the one time it is shown. */
  readonly isNew: boolean;
}

/** Reads the key of `directory`, or makes one. A crash in between leaves either no key or a whole one. */
export async function openAdministratorKey(directory: string, random: Random): Promise<AdministratorKey> {
  const file = join(directory, "admin-key");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const kept = await findKey(file);
  if (kept !== undefined) return { key: kept, isNew: false };
  const key = keyPrefix + Buffer.from(random.bytes(keyBytes)).toString("base64url");
  await writeOnce(file, `${key}\n`);
  return { key, isNew: true };
}

export type Authenticate = (authorization: string | undefined) => { readonly actor: string } | undefined;

/** `Authorization: Bearer KEY`; the time taken tells nothing about the key, not even its length. */
export function bearerCheck(key: string): Authenticate {
  const expected = digest(key);
  return (authorization) => {
    const presented = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (presented === undefined) return undefined;
    return timingSafeEqual(digest(presented), expected) ? { actor: "administrator" } : undefined;
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function findKey(file: string): Promise<string | undefined> {
  const found = await findOwnerFile(file).catch((error: unknown) => {
    throw new StartError(`the administrator key ${file} cannot be read: ${String(error)}`);
  });
  if (found === undefined) return undefined;
  if (found.openToOthers) await closeToOthers(file);
  const key = found.text.trim();
  if (/^[\x21-\x7e]{16,256}$/.test(key)) return key;
  throw new StartError(`the administrator key ${file} is damaged (expected one line of 16 to 256 characters); remove it to get a new one`);
}
