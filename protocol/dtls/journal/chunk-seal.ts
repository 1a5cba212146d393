/**
 * Chunks of a journal under AES-256-GCM. Each part has a key of its own, made from the operator's key and 32 random bytes in front of
 * the part; the nonce is the number of the chunk, so none is used twice and none can be moved, dropped from the middle or repeated.
 */
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";

export const saltBytes = 32;
export const journalKeyBytes = 32;
const tagBytes = 16;
const nonceBytes = 12;
const cipherName = "aes-256-gcm";
const purpose = "lwm2m dtls journal v1";

export class ChunkSeal {
  readonly #key: Uint8Array;
  #next = 1;

  constructor(operatorKey: Uint8Array, salt: Uint8Array, part: number) {
    if (operatorKey.length !== journalKeyBytes) throw new Error(`a journal key of ${operatorKey.length} bytes, not ${journalKeyBytes}`);
    this.#key = createHmac("sha256", operatorKey).update(purpose).update(salt).update(String(part)).digest();
  }

  seal(plain: Uint8Array): Uint8Array {
    const cipher = createCipheriv(cipherName, this.#key, this.#nonce());
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Undefined for what is not the next chunk of this part. */
  open(chunk: Uint8Array): Uint8Array | undefined {
    const plainBytes = chunk.length - tagBytes;
    if (plainBytes < 0) return undefined;
    const decipher = createDecipheriv(cipherName, this.#key, this.#nonce());
    decipher.setAuthTag(chunk.subarray(plainBytes));
    const plain = decipher.update(chunk.subarray(0, plainBytes));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plain;
  }

  #nonce(): Uint8Array {
    const nonce = Buffer.alloc(nonceBytes);
    nonce.writeUIntBE(this.#next++, nonceBytes - 6, 6);
    return nonce;
  }
}
