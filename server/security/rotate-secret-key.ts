/** A new first key in the file of `secret-key-file.ts`: the next start seals every stored secret anew with it. */
import type { Random } from "@lwm2m/protocol/ports/random";
import { StartError } from "../start-error.ts";
import { findOwnerFile, replaceFile } from "./owner-file.ts";
import { secretKeyBytes } from "./secret-box.ts";
import {
  findSecretKeys,
  makeSecretKey,
  type SecretKeyFileSettings,
  type SecretKeys,
  secretKeyOf,
  secretKeyPath,
} from "./secret-key-file.ts";

/**
 * Resolves with all keys, the new one first, once the file is durable. The former ones stay: stored secrets need them until the next
 * start, and backups for as long as they are kept. Rejects with `StartError` when the file is damaged or not there.
 */
export async function rotateSecretKey(settings: SecretKeyFileSettings, random: Random): Promise<SecretKeys> {
  const path = secretKeyPath(settings);
  const former = await findSecretKeys(settings);
  if (former === undefined) {
    if (settings.file !== undefined) throw new StartError(`SECRET_KEY_FILE ${path} is not there`);
    return makeSecretKey(settings, random);
  }
  const text = (await findOwnerFile(path))?.text ?? "";
  const fresh = random.bytes(secretKeyBytes);
  try {
    await replaceFile(path, `${Buffer.from(fresh).toString("base64")}\n${text}`);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    throw new StartError(`the secret key ${path} cannot be replaced (${code})`);
  }
  return [secretKeyOf(fresh), ...former];
}
