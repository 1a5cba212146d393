/**
 * HMAC (RFC 2104 §2) over one-shot hashes of node:crypto: no object per MAC, and raw keys at the same cost on every version of Node.
 *
 * A digest as text of one byte a character costs a third of one as Buffer. That is for the inner hash only: text cannot be wiped, and
 * without the key it gives nothing away, while the MAC itself may be a secret.
 */
import { hash as digest } from "node:crypto";
import type { PrfHash } from "./suites.ts";

interface HashSizes {
  readonly blockBytes: number;
  readonly hashBytes: number;
}

const sizes: { readonly [name in PrfHash]: HashSizes } = {
  sha256: { blockBytes: 64, hashBytes: 32 },
  sha384: { blockBytes: 128, hashBytes: 48 },
};
const innerPad = 0x36;
const outerPad = 0x5c;
/** What the PRF puts together: a MAC, the longest label, two randoms or a hash. */
const usualTextBytes = 160;

/** Bytes of a hash, and so of its HMAC. */
export function hashBytesOf(hash: PrfHash): number {
  return sizes[hash].hashBytes;
}

/** The HMAC of the parts one after the other. The copies of key and text it works on are wiped. */
export function hmac(hash: PrfHash, key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const keyed = new HmacKey(hash, key);
  const result = keyed.mac(parts);
  keyed.wipe();
  return result;
}

/** One key for several MACs: its padded forms are made once. */
export class HmacKey {
  readonly #hash: PrfHash;
  readonly #blockBytes: number;
  #inner: Buffer;
  readonly #outer: Buffer;

  constructor(hash: PrfHash, key: Uint8Array) {
    const { blockBytes, hashBytes } = sizes[hash];
    this.#hash = hash;
    this.#blockBytes = blockBytes;
    const short = key.length > blockBytes ? digest(hash, key, "buffer") : key;
    const inner = Buffer.allocUnsafe(blockBytes + usualTextBytes);
    const outer = Buffer.allocUnsafe(blockBytes + hashBytes);
    for (let i = 0; i < blockBytes; i++) {
      const byte = short[i] ?? 0;
      inner[i] = byte ^ innerPad;
      outer[i] = byte ^ outerPad;
    }
    this.#inner = inner;
    this.#outer = outer;
  }

  /** In memory that can be wiped. */
  mac(parts: readonly Uint8Array[]): Buffer {
    return digest(this.#hash, this.#padded(parts), "buffer");
  }

  /** Into `out`, by way of text: only for a MAC that gives nothing away to one without the key. */
  writeMac(parts: readonly Uint8Array[], out: Buffer): void {
    out.write(digest(this.#hash, this.#padded(parts), "binary"), "latin1");
  }

  wipe(): void {
    this.#inner.fill(0);
    this.#outer.fill(0);
  }

  #padded(parts: readonly Uint8Array[]): Buffer {
    const blockBytes = this.#blockBytes;
    let textBytes = 0;
    for (const part of parts) textBytes += part.length;
    if (blockBytes + textBytes > this.#inner.length) this.#grow(textBytes);
    let at = blockBytes;
    for (const part of parts) {
      this.#inner.set(part, at);
      at += part.length;
    }
    this.#outer.write(digest(this.#hash, this.#inner.subarray(0, at), "binary"), blockBytes, "latin1");
    return this.#outer;
  }

  #grow(textBytes: number): void {
    const grown = Buffer.allocUnsafe(this.#blockBytes + textBytes);
    this.#inner.copy(grown, 0, 0, this.#blockBytes);
    this.#inner.fill(0);
    this.#inner = grown;
  }
}
