/** Hashes on node:crypto: one-shot calls, as `hmac.ts` puts them together. */
import { hash as digest } from "node:crypto";
import type { Digests } from "./digests.ts";
import { hashBytesOf, hmacWith, writeHmac } from "./hmac.ts";

/** A(i) of P_hash. Without the secret nothing follows from it. */
const chains = { sha256: Buffer.alloc(hashBytesOf("sha256")), sha384: Buffer.alloc(hashBytesOf("sha384")) } as const;

export const nodeDigests: Digests = {
  hash(algorithm, text) {
    // Text, which anybody could make, costs half of a Buffer.
    return Buffer.from(digest(algorithm, text, "binary"), "latin1");
  },
  writeHmac(algorithm, key, parts, out) {
    writeHmac(algorithm, key, parts, out);
  },
  expand(algorithm, secret, seed, out) {
    const keyed = hmacWith(algorithm, secret);
    const chain = chains[algorithm];
    const chained = [chain, ...seed];
    keyed.writeMac(seed, chain);
    for (let at = 0; at < out.length; at += chain.length) {
      if (at > 0) keyed.writeMac([chain], chain);
      const block = keyed.mac(chained);
      const end = Math.min(block.length, out.length - at);
      for (let i = 0; i < end; i++) out[at + i] = block[i] ?? 0;
      block.fill(0);
    }
    keyed.wipe();
  },
  expandOpenly(algorithm, secret, seed, out) {
    const keyed = hmacWith(algorithm, secret);
    const chain = chains[algorithm];
    if (out.length > chain.length) throw new Error(`${out.length} bytes of one hash`);
    keyed.writeMac(seed, chain);
    keyed.writeMac([chain, ...seed], chain);
    keyed.wipe();
    for (let i = 0; i < out.length; i++) out[i] = chain[i] ?? 0;
  },
};
