/**
 * HMAC (RFC 2104 §2) over one-shot hashes of node:crypto: no object per MAC, and raw keys at the same cost on every version of Node.
 *
 * A digest as text of one byte a character costs a third of one as Buffer. That is for the inner hash, and for MACs that are no secret
 * themselves: text cannot be wiped, and without the key it gives nothing away.
 *
 * A handshake is 15 MACs. Therefore there is one place per hash where they are put together, made once; `wipe` leaves nothing in it.
 */
import { hash as digest } from "node:crypto";
import { PrefixViews } from "../../bytes/prefix-views.ts";
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
/** What the PRF puts together: a MAC, the longest label, two randoms or a hash. Longer ones get a place that is given up after them. */
const usualTextBytes = 512;

/** Bytes of a hash, and so of its HMAC. */
export function hashBytesOf(hash: PrfHash): number {
  return sizes[hash].hashBytes;
}

/** The HMAC of the parts one after the other. The copies of key and text it works on are wiped. */
export function hmac(hash: PrfHash, key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const keyed = hmacWith(hash, key);
  const result = keyed.mac(parts);
  keyed.wipe();
  return result;
}

/** The same into `out`, for a MAC that may be seen by everybody. */
export function writeHmac(hash: PrfHash, key: Uint8Array, parts: readonly Uint8Array[], out: Buffer): void {
  const keyed = hmacWith(hash, key);
  keyed.writeMac(parts, out);
  keyed.wipe();
}

/** For several MACs with one key, all of them before anything else asks for one of the same hash; `wipe` ends it. */
export function hmacWith(hash: PrfHash, key: Uint8Array): KeyedHmac {
  const keyed = places[hash];
  keyed.take(key);
  return keyed;
}

export class KeyedHmac {
  readonly #hash: PrfHash;
  readonly #blockBytes: number;
  readonly #place: PrefixViews;
  readonly #outer: Buffer;
  #usedBytes = 0;

  constructor(hash: PrfHash) {
    const { blockBytes, hashBytes } = sizes[hash];
    this.#hash = hash;
    this.#blockBytes = blockBytes;
    this.#place = new PrefixViews(Buffer.allocUnsafeSlow(blockBytes + usualTextBytes));
    this.#outer = Buffer.allocUnsafeSlow(blockBytes + hashBytes);
  }

  take(key: Uint8Array): void {
    const blockBytes = this.#blockBytes;
    const inner = this.#place.bytes;
    const outer = this.#outer;
    const short = key.length > blockBytes ? digest(this.#hash, key, "buffer") : key;
    for (let i = 0; i < short.length; i++) {
      const byte = short[i] ?? 0;
      inner[i] = byte ^ innerPad;
      outer[i] = byte ^ outerPad;
    }
    inner.fill(innerPad, short.length, blockBytes);
    outer.fill(outerPad, short.length, blockBytes);
    this.#usedBytes = blockBytes;
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
    this.#place.bytes.fill(0, 0, this.#usedBytes);
    this.#outer.fill(0);
  }

  #padded(parts: readonly Uint8Array[]): Buffer {
    const inner = this.#innerOf(parts);
    this.#outer.write(digest(this.#hash, inner, "binary"), this.#blockBytes, "latin1");
    if (inner.length > this.#place.bytes.length) inner.fill(0);
    return this.#outer;
  }

  #innerOf(parts: readonly Uint8Array[]): Uint8Array {
    const blockBytes = this.#blockBytes;
    const usual = this.#place.bytes;
    let end = blockBytes;
    for (const part of parts) end += part.length;
    const isUsual = end <= usual.length;
    const inner = isUsual ? usual : new Uint8Array(end);
    if (!isUsual) inner.set(usual.subarray(0, blockBytes));
    let at = blockBytes;
    for (const part of parts) {
      inner.set(part, at);
      at += part.length;
    }
    if (!isUsual) return inner;
    if (end > this.#usedBytes) this.#usedBytes = end;
    return this.#place.upTo(end);
  }
}

const places: { readonly [name in PrfHash]: KeyedHmac } = { sha256: new KeyedHmac("sha256"), sha384: new KeyedHmac("sha384") };
