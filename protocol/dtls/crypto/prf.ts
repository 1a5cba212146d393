/** From the premaster secret to the keys of a connection (RFC 5246 §5, §6.3, §7.4.9, §8.1; RFC 7627 §4; RFC 4279 §2; RFC 5489 §2). */
import { timingSafeEqual } from "node:crypto";
import type { ConnectionKeys } from "../handshake-contract.ts";
import { digests } from "./back-end.ts";
import type { PrfHash, Suite } from "./suites.ts";

export const masterSecretBytes = 48;
export const verifyDataBytes = 12;
const lengthBytes = 2;
const empty = new Uint8Array(0);

export type KeyMaterial = Pick<ConnectionKeys, "clientMacKey" | "serverMacKey" | "clientKey" | "serverKey" | "clientIv" | "serverIv">;

const labels = {
  masterSecret: Buffer.from("master secret"),
  extendedMasterSecret: Buffer.from("extended master secret"),
  keyExpansion: Buffer.from("key expansion"),
  client: Buffer.from("client finished"),
  server: Buffer.from("server finished"),
} as const;
/** Where native code finds them: memory of its own would first be made for arrays as small as those of verify data. */
const compared = { one: Buffer.allocUnsafeSlow(verifyDataBytes), other: Buffer.allocUnsafeSlow(verifyDataBytes) } as const;

/** P_hash of RFC 5246 §5. */
export function prf(hash: PrfHash, secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  return expand(hash, secret, [Buffer.from(label, "latin1"), seed], length);
}

export function masterSecret(hash: PrfHash, premaster: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): Uint8Array {
  return expand(hash, premaster, [labels.masterSecret, clientRandom, serverRandom], masterSecretBytes);
}

/** `sessionHash` covers every handshake message up to and with ClientKeyExchange (RFC 7627 §3). */
export function extendedMasterSecret(hash: PrfHash, premaster: Uint8Array, sessionHash: Uint8Array): Uint8Array {
  return expand(hash, premaster, [labels.extendedMasterSecret, sessionHash], masterSecretBytes);
}

/** Here the server's random comes first (RFC 5246 §6.3). */
export function keyBlock(suite: Suite, master: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array): KeyMaterial {
  const { macKeyBytes, keyBytes, ivBytes } = suite;
  const seed = [labels.keyExpansion, serverRandom, clientRandom];
  const block = expand(suite.prfHash, master, seed, 2 * (macKeyBytes + keyBytes + ivBytes));
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return length === 0 ? empty : block.slice(at - length, at);
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
  const data = new Uint8Array(verifyDataBytes);
  // The peer is sent it, and it opens nothing.
  digests().expandOpenly(hash, master, [labels[sender], transcriptHash], data);
  return data;
}

/** In constant time. */
export function sameVerifyData(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== verifyDataBytes || other.length !== verifyDataBytes) return false;
  compared.one.set(one);
  compared.other.set(other);
  return timingSafeEqual(compared.one, compared.other);
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

function expand(hash: PrfHash, secret: Uint8Array, seed: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  digests().expand(hash, secret, seed, out);
  return out;
}
