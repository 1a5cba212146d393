/** From the premaster secret to the keys of a connection (RFC 5246 §5, §6.3, §7.4.9, §8.1; RFC 7627 §4; RFC 4279 §2; RFC 5489 §2). */
import type { ConnectionKeys } from "../handshake-contract.ts";
import { HmacKey, hashBytesOf, hmac } from "./hmac.ts";
import type { PrfHash, Suite } from "./suites.ts";

export const masterSecretBytes = 48;
export const verifyDataBytes = 12;
const lengthBytes = 2;
/** Of the key an unknown identity is given: as long as most real ones are. */
const pseudoRandomKeyBytes = 16;

export type KeyMaterial = Pick<ConnectionKeys, "clientMacKey" | "serverMacKey" | "clientKey" | "serverKey" | "clientIv" | "serverIv">;

/** P_hash of RFC 5246 §5. */
export function prf(hash: PrfHash, secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const labelled = [Buffer.from(label, "latin1"), seed] as const;
  const out = new Uint8Array(length);
  const hashBytes = hashBytesOf(hash);
  const key = new HmacKey(hash, secret);
  // A(i) of the RFC: without the secret nothing follows from it.
  const chain = Buffer.allocUnsafe(hashBytes);
  key.writeMac(labelled, chain);
  for (let at = 0; at < length; at += hashBytes) {
    if (at > 0) key.writeMac([chain], chain);
    const block = key.mac([chain, ...labelled]);
    out.set(block.subarray(0, length - at), at);
    block.fill(0);
  }
  key.wipe();
  return out;
}

export function masterSecret(hash: PrfHash, premaster: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): Uint8Array {
  return prf(hash, premaster, "master secret", Buffer.concat([clientRandom, serverRandom]), masterSecretBytes);
}

/** `sessionHash` covers every handshake message up to and with ClientKeyExchange (RFC 7627 §3). */
export function extendedMasterSecret(hash: PrfHash, premaster: Uint8Array, sessionHash: Uint8Array): Uint8Array {
  return prf(hash, premaster, "extended master secret", sessionHash, masterSecretBytes);
}

/** Here the server's random comes first (RFC 5246 §6.3). */
export function keyBlock(suite: Suite, master: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): KeyMaterial {
  const { macKeyBytes, keyBytes, ivBytes } = suite;
  const seed = Buffer.concat([serverRandom, clientRandom]);
  const block = prf(suite.prfHash, master, "key expansion", seed, 2 * (macKeyBytes + keyBytes + ivBytes));
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return block.slice(at - length, at);
  };
  const keys = {
    clientMacKey: take(macKeyBytes),
    serverMacKey: take(macKeyBytes),
    clientKey: take(keyBytes),
    serverKey: take(keyBytes),
    clientIv: take(ivBytes),
    serverIv: take(ivBytes),
  };
  block.fill(0);
  return keys;
}

/** `transcriptHash` is the hash of the PRF over all messages before this Finished (RFC 5246 §7.4.9). */
export function verifyData(hash: PrfHash, master: Uint8Array, sender: "client" | "server", transcriptHash: Uint8Array): Uint8Array {
  return prf(hash, master, `${sender} finished`, transcriptHash, verifyDataBytes);
}

/** RFC 4279 §2; with ECDHE the other secret is the agreed one (RFC 5489 §2), otherwise as many zeros as the key has bytes. */
export function pskPremaster(key: Uint8Array, otherSecret?: Uint8Array): Uint8Array {
  const other = otherSecret ?? new Uint8Array(key.length);
  const premaster = Buffer.alloc(2 * lengthBytes + other.length + key.length);
  premaster.writeUInt16BE(other.length, 0);
  premaster.set(other, lengthBytes);
  premaster.writeUInt16BE(key.length, lengthBytes + other.length);
  premaster.set(key, 2 * lengthBytes + other.length);
  return premaster;
}

/**
 * The key an unknown identity gets, so that it fails just where a wrong key does (RFC 4279 §2, end). One server secret gives one
 * identity always the same key: asking twice teaches nothing.
 */
export function pseudoRandomKey(serverSecret: Uint8Array, identity: Uint8Array): Uint8Array {
  return new Uint8Array(hmac("sha256", serverSecret, Buffer.from("unknown psk identity"), identity).subarray(0, pseudoRandomKeyBytes));
}
