/** Public keys imported once: a fleet shows the same few issuers, and one import costs more than checking a signature (OpenSSL 3.0). */
import { createHash, type KeyObject } from "node:crypto";
import { importPublicKey } from "../x509/certificate-signature.ts";

export class KeyCache {
  readonly #most: number;
  /** By SHA-256 of the SubjectPublicKeyInfo, in the order of last use. */
  readonly #keys = new Map<string, KeyObject>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Throws `X509Error` for a key that is none, or of a kind not accepted. */
  import(publicKey: Uint8Array): KeyObject {
    const name = createHash("sha256").update(publicKey).digest("base64");
    const known = this.#keys.get(name);
    const key = known ?? importPublicKey(publicKey);
    this.#keys.delete(name);
    if (this.#keys.size >= this.#most) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    this.#keys.set(name, key);
    return key;
  }
}
