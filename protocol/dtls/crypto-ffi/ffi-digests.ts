/** Hashes, MACs and the PRF over SHA-256 by calls into OpenSSL (RFC 5246 §5). SHA-384, and what has no room, are left to node:crypto. */
import type { Digests } from "../crypto/digests.ts";
import { nodeDigests } from "../crypto/node-digests.ts";
import type { PrfHash } from "../crypto/suites.ts";
import { area, type NativeCalls } from "./native-calls.ts";
import { hashBytes, mostHashedBytes, mostTextBytes, Sha256 } from "./sha256.ts";

export function ffiDigests(calls: NativeCalls): Digests {
  const { memory } = calls;
  const sha256 = new Sha256(calls);
  /** A(i) of P_hash is where it was, the seed behind it. */
  const chainAt = area.hashText.at;
  const seedAt = chainAt + hashBytes;

  /** Where they end. */
  function copyIn(parts: readonly Uint8Array[], to: number): number {
    let at = to;
    for (const part of parts) {
      memory.set(part, at);
      at += part.length;
    }
    return at;
  }

  function expand(hash: PrfHash, secret: Uint8Array, seed: readonly Uint8Array[], out: Uint8Array): void {
    if (hash !== "sha256" || secret.length > mostTextBytes || hashBytes + sum(seed) > mostTextBytes) {
      nodeDigests.expand(hash, secret, seed, out);
      return;
    }
    try {
      sha256.takeKey(secret);
      const end = copyIn(seed, seedAt);
      sha256.mac(seedAt, sha256.end(seedAt, end - seedAt), chainAt);
      const endedBytes = sha256.end(chainAt, end - chainAt);
      for (let at = 0; at < out.length; at += hashBytes) {
        if (at > 0) sha256.macAgain(chainAt);
        sha256.macInto(chainAt, endedBytes, out, at);
      }
    } finally {
      sha256.wipe();
    }
  }

  return {
    hash(algorithm, text) {
      return algorithm === "sha256" && text.length <= mostHashedBytes ? sha256.hash(text) : nodeDigests.hash(algorithm, text);
    },
    writeHmac(algorithm, key, parts, out) {
      if (algorithm !== "sha256" || key.length > mostTextBytes || sum(parts) > mostTextBytes) {
        nodeDigests.writeHmac(algorithm, key, parts, out);
        return;
      }
      sha256.takeKey(key);
      const end = copyIn(parts, chainAt);
      sha256.macInto(chainAt, sha256.end(chainAt, end - chainAt), out, 0);
      sha256.wipe();
    },
    expand,
    expandOpenly: expand,
  };
}

function sum(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}
