/**
 * Secrets as the store holds them: AES-256-GCM, each bound to the field of the document it belongs to, so that one put in the place of
 * another does not open. A sealed text is `KEYID.BASE64URL(nonce, ciphertext, tag)`.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { Random } from "@lwm2m/protocol/ports/random";

export interface SecretKey {
  /** Follows from the key, so that two files cannot call different keys the same. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Where a sealed text stands. */
export interface SecretPlace {
  readonly collection: string;
  readonly document: string;
  readonly field: string;
}

/** A sealed text that does not open: another key, another place, or damage. It says where, never what. */
export class SecretBoxError extends Error {
  constructor({ collection, document, field }: SecretPlace, reason: string) {
    super(`${field} of ${collection} ${JSON.stringify(document)} cannot be opened: ${reason}`);
    this.name = "SecretBoxError";
  }
}

const cipherName = "aes-256-gcm";
/** SP 800-38D §8.2.2: chosen at random, good for 2^32 secrets under one key. */
const nonceBytes = 12;
const tagBytes = 16;
export const secretKeyBytes = 32;

export class SecretBox {
  /** Of the key that seals. */
  readonly keyId: string;
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #current: KeyObject;
  readonly #random: Random;

  /** The first key seals, all open. */
  constructor(keys: readonly [SecretKey, ...SecretKey[]], random: Random) {
    this.#keys = new Map(keys.map(({ id, key }) => [id, createSecretKey(key)]));
    this.keyId = keys[0].id;
    this.#current = createSecretKey(keys[0].key);
    this.#random = random;
  }

  seal(plain: Uint8Array, place: SecretPlace): string {
    const nonce = this.#random.bytes(nonceBytes);
    const cipher = createCipheriv(cipherName, this.#current, nonce);
    cipher.setAAD(placeBytes(place));
    const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return `${this.keyId}.${sealed.toString("base64url")}`;
  }

  /** Throws `SecretBoxError`. */
  open(sealed: string, place: SecretPlace): Uint8Array {
    const [keyId = "", text = ""] = sealed.split(".", 2);
    const key = this.#keys.get(keyId);
    if (key === undefined) throw new SecretBoxError(place, `the key ${keyId.slice(0, 32)} is not there`);
    const bytes = Buffer.from(text, "base64url");
    const plainEnd = bytes.length - tagBytes;
    if (plainEnd < nonceBytes) throw new SecretBoxError(place, "it is too short");
    const decipher = createDecipheriv(cipherName, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(placeBytes(place));
    decipher.setAuthTag(bytes.subarray(plainEnd));
    const plain = decipher.update(bytes.subarray(nonceBytes, plainEnd));
    try {
      decipher.final();
    } catch {
      throw new SecretBoxError(place, "it was changed, or belongs elsewhere");
    }
    return new Uint8Array(plain);
  }

  /** Keys for what is encrypted elsewhere, 32 bytes each, one per key of the file and the current one first (RFC 5869). */
  derivedKeys(purpose: string): readonly Uint8Array[] {
    const keys = [this.#current, ...[...this.#keys].filter(([id]) => id !== this.keyId).map(([, key]) => key)];
    return keys.map((key) => new Uint8Array(hkdfSync("sha256", key, "", `lwm2m ${purpose}`, secretKeyBytes)));
  }
}

/** The parts cannot run into each other: JSON quotes them. */
function placeBytes({ collection, document, field }: SecretPlace): Uint8Array {
  return Buffer.from(JSON.stringify([collection, document, field]));
}
