/** What handshakes ask of a hash function, so that more than one back end can give it (RFC 5246 §5, RFC 2104 §2). */
import type { PrfHash } from "./suites.ts";

export interface Digests {
  /** Of text that anybody may see. */
  hash(algorithm: PrfHash, text: Uint8Array): Uint8Array;
  /** The HMAC of the parts one after the other into `out`: for a MAC that may be seen by everybody. */
  writeHmac(algorithm: PrfHash, key: Uint8Array, parts: readonly Uint8Array[], out: Buffer): void;
  /** Fills `out` with P_hash. What was worked with is wiped. */
  expand(algorithm: PrfHash, secret: Uint8Array, seed: readonly Uint8Array[], out: Uint8Array): void;
  /** The same where the peer is sent the outcome, no longer than the hash: it may leave traces, but none of the secret. */
  expandOpenly(algorithm: PrfHash, secret: Uint8Array, seed: readonly Uint8Array[], out: Uint8Array): void;
}
