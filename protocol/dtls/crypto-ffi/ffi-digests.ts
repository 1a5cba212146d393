/** Hashes, MACs and the PRF by calls into OpenSSL (RFC 5246 §5, RFC 2104 §2). What does not fit its areas is left to node:crypto. */
import type { Digests } from "../crypto/digests.ts";
import { nodeDigests } from "../crypto/node-digests.ts";
import type { PrfHash } from "../crypto/suites.ts";
import { area, type NativeCalls } from "./native-calls.ts";

export function ffiDigests(calls: NativeCalls): Digests {
  const { memory } = calls;

  /** False for what the areas have no room for, and for no key at all. */
  function fits(key: Uint8Array, textBytes: number): boolean {
    return key.length > 0 && key.length <= area.macKey.bytes && textBytes <= area.macText.bytes;
  }

  function copyIn(bytes: Uint8Array, at: number): number {
    for (let i = 0; i < bytes.length; i++) memory[at + i] = bytes[i] ?? 0;
    return at + bytes.length;
  }

  function expand(hash: PrfHash, secret: Uint8Array, seed: readonly Uint8Array[], out: Uint8Array): void {
    const hashBytes = calls.hashBytes(hash);
    const blocks = Math.ceil(out.length / hashBytes);
    const macsBytes = blocks * hashBytes;
    const textBytes = hashBytes + sum(seed);
    if (blocks === 0) return;
    if (!fits(secret, textBytes) || macsBytes > area.macs.bytes) {
      nodeDigests.expand(hash, secret, seed, out);
      return;
    }
    copyIn(secret, area.macKey.at);
    // A(i) is where it was, the seed behind it.
    const chainAt = area.macText.at;
    const chain = { at: chainAt, bytes: hashBytes };
    const whole = { at: chainAt, bytes: textBytes };
    let at = chainAt + hashBytes;
    for (const part of seed) at = copyIn(part, at);
    try {
      calls.beginMacs(hash, secret.length);
      calls.mac(hash, true, { at: chainAt + hashBytes, bytes: textBytes - hashBytes }, chainAt);
      for (let block = 0; block < blocks; block++) {
        if (block > 0) calls.mac(hash, false, chain, chainAt);
        calls.mac(hash, false, whole, area.macs.at + block * hashBytes);
      }
      for (let i = 0; i < out.length; i++) out[i] = memory[area.macs.at + i] ?? 0;
    } finally {
      calls.endMacs(hash, secret.length, macsBytes);
    }
  }

  return {
    hash(algorithm, text) {
      if (text.length > area.record.bytes) return nodeDigests.hash(algorithm, text);
      memory.set(text, area.record.at);
      calls.digest(algorithm, text.length);
      return memory.slice(area.macs.at, area.macs.at + calls.hashBytes(algorithm));
    },
    writeHmac(algorithm, key, parts, out) {
      const textBytes = sum(parts);
      if (!fits(key, textBytes)) {
        nodeDigests.writeHmac(algorithm, key, parts, out);
        return;
      }
      copyIn(key, area.macKey.at);
      let at: number = area.macText.at;
      for (const part of parts) at = copyIn(part, at);
      calls.beginMacs(algorithm, key.length);
      calls.mac(algorithm, true, { at: area.macText.at, bytes: textBytes }, area.macs.at);
      const hashBytes = calls.hashBytes(algorithm);
      for (let i = 0; i < hashBytes; i++) out[i] = memory[area.macs.at + i] ?? 0;
      calls.endMacs(algorithm, key.length, 0);
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
