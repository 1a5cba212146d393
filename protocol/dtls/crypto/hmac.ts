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

/** Bytes of a hash, and so of its HMAC. */
export function hashBytesOf(hash: PrfHash): number {
  return sizes[hash].hashBytes;
}

/** The HMAC of the parts one after the other. The copies of key and text it works on are wiped. */
export function hmac(hash: PrfHash, key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const { blockBytes, hashBytes } = sizes[hash];
  const short = key.length > blockBytes ? digest(hash, key, "buffer") : key;
  let textBytes = 0;
  for (const part of parts) textBytes += part.length;
  const inner = Buffer.allocUnsafe(blockBytes + textBytes);
  const outer = Buffer.allocUnsafe(blockBytes + hashBytes);
  for (let i = 0; i < blockBytes; i++) {
    const byte = short[i] ?? 0;
    inner[i] = byte ^ innerPad;
    outer[i] = byte ^ outerPad;
  }
  let at = blockBytes;
  for (const part of parts) {
    inner.set(part, at);
    at += part.length;
  }
  outer.write(digest(hash, inner, "binary"), blockBytes, "latin1");
  const result = digest(hash, outer, "buffer");
  inner.fill(0);
  outer.fill(0);
  return result;
}
