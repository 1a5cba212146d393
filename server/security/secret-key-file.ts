/** The file of the keys that seal secrets: base64 of 32 bytes a line, as `openssl rand -base64 32` makes it. The first seals, all open. */
import { createHmac } from "node:crypto";
import { join } from "node:path";
import type { Random } from "@lwm2m/protocol/ports/random";
import { StartError } from "../start-error.ts";
import { makeDirectories } from "../storage/directories.ts";
import { closeToOthers, findOwnerFile, writeOnce } from "./owner-file.ts";
import { type SecretKey, secretKeyBytes } from "./secret-box.ts";

export interface SecretKeyFileSettings {
  /** `SECRET_KEY_FILE`; undefined for `secret-key` in the data directory. */
  readonly file: string | undefined;
  readonly dataDir: string;
}

export type SecretKeys = readonly [SecretKey, ...SecretKey[]];

export function secretKeyPath({ file, dataDir }: SecretKeyFileSettings): string {
  return file ?? join(dataDir, "secret-key");
}

/** A sentence for the log when others than its owner may read a file that the operator named: ours are closed to them. */
export async function findSecretKeyWarning(settings: SecretKeyFileSettings): Promise<string | undefined> {
  if (settings.file === undefined) return undefined;
  const isOpen = (await findOwnerFile(settings.file))?.openToOthers === true;
  return isOpen
    ? `SECRET_KEY_FILE ${settings.file} may be read by others than its owner: chmod 600, or who reads it opens every stored secret`
    : undefined;
}

/** Undefined when there is no file. Rejects with `StartError`, without a character of the file in it. */
export async function findSecretKeys(settings: SecretKeyFileSettings): Promise<SecretKeys | undefined> {
  const path = secretKeyPath(settings);
  const found = await findOwnerFile(path).catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    throw new StartError(`the secret key ${path} cannot be read (${code})`);
  });
  if (found === undefined) return undefined;
  // What mode a file from elsewhere has is its owner's decision: container platforms mount secrets readable by group.
  if (found.openToOthers && settings.file === undefined) await closeToOthers(path);
  const lines = found.text.split("\n").map((line) => line.trim());
  const keys: SecretKey[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const key = Buffer.from(line, "base64");
    if (key.length !== secretKeyBytes || key.toString("base64") !== line) {
      throw new StartError(`the secret key ${path} is damaged: line ${index + 1} is not base64 of ${secretKeyBytes} bytes`);
    }
    const known = secretKeyOf(new Uint8Array(key));
    if (!keys.some(({ id }) => id === known.id)) keys.push(known);
  }
  const [first, ...others] = keys;
  if (first === undefined) throw new StartError(`the secret key ${path} is empty; one is made by: openssl rand -base64 ${secretKeyBytes}`);
  return [first, ...others];
}

/** In the data directory, mode 0600, durable when it resolves. A crash leaves no file or a whole one. */
export async function makeSecretKey(settings: SecretKeyFileSettings, random: Random): Promise<SecretKeys> {
  const key = random.bytes(secretKeyBytes);
  await makeDirectories(settings.dataDir);
  await writeOnce(secretKeyPath(settings), `${Buffer.from(key).toString("base64")}\n`);
  return [secretKeyOf(key)];
}

const idBytes = 8;

export function secretKeyOf(key: Uint8Array): SecretKey {
  return { key, id: createHmac("sha256", key).update("lwm2m secret key id").digest().subarray(0, idBytes).toString("hex") };
}
