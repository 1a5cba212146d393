/** A back end by calls into OpenSSL shows what it does before it is let do it: published answers, and one record of every form. */
import type { Digests } from "../crypto/digests.ts";
import { placeOf, protectionVectors, vectorContent } from "../crypto/protection-vectors.ts";
import type { RecordProtection } from "../crypto/record-protection.ts";
import { type AeadAnswer, aeadAnswers, hashAnswers, macAnswers, prfAnswers } from "./known-answers.ts";
import { area, type NativeCalls } from "./native-calls.ts";

/** The first thing that is not as it must be, undefined when everything is. */
export function findFault(calls: NativeCalls, digests: Digests, protection: RecordProtection): string | undefined {
  return findDigestFault(digests) ?? findAeadFault(calls) ?? findRecordFault(protection);
}

function findDigestFault(digests: Digests): string | undefined {
  for (const { hash, text, digest } of hashAnswers) {
    if (!same(digests.hash(hash, fromHex(text)), digest)) return `${hash} is wrong`;
  }
  for (const { hash, key, text, mac } of macAnswers) {
    const out = Buffer.alloc(mac.length / 2);
    digests.writeHmac(hash, fromHex(key), [fromHex(text)], out);
    if (!same(out, mac)) return `HMAC with ${hash} is wrong`;
  }
  for (const { hash, secret, seed, output } of prfAnswers) {
    const out = new Uint8Array(output.length / 2);
    digests.expand(hash, fromHex(secret), [Buffer.from("test label"), fromHex(seed)], out);
    if (!same(out, output)) return `the PRF with ${hash} is wrong`;
  }
  return undefined;
}

function findAeadFault(calls: NativeCalls): string | undefined {
  for (const answer of aeadAnswers) {
    const { cipher, content, sealed } = answer;
    const contentBytes = content.length / 2;
    place(calls, answer, content);
    calls.seal(cipher, contentBytes, answer.additional.length / 2);
    if (!same(recordOf(calls, sealed.length / 2), sealed)) return `${cipher} seals wrongly`;
    place(calls, answer, sealed);
    if (!calls.open(cipher, contentBytes, answer.additional.length / 2)) return `${cipher} does not open`;
    if (!same(recordOf(calls, contentBytes), content)) return `${cipher} opens wrongly`;
  }
  return undefined;
}

function findRecordFault(protection: RecordProtection): string | undefined {
  for (const vector of protectionVectors) {
    const { keys, facts } = placeOf(vector);
    const fragment = fromHex(vector.fragment);
    const { cipher } = keys.suite;
    const out = new Uint8Array(fragment.length);
    const open = (bytes: Uint8Array): number => protection.open(keys, { ...facts }, bytes, 0, bytes.length, out, 0);
    if (open(fragment) !== vectorContent.length || !out.subarray(0, vectorContent.length).every((byte, i) => byte === vectorContent[i])) {
      return `a record of ${cipher} does not open`;
    }
    for (let at = 0; at < fragment.length; at++) {
      const forged = Uint8Array.from(fragment);
      forged[at] = (forged[at] ?? 0) ^ 1;
      if (open(forged) !== -1) return `a forged record of ${cipher} opens`;
    }
    if (!keys.suite.aead) continue;
    const length = protection.seal(keys, facts, vectorContent, 0, vectorContent.length, out, 0);
    if (!same(out.subarray(0, length), vector.fragment)) return `a record of ${cipher} is sealed wrongly`;
  }
  return undefined;
}

function place({ memory }: NativeCalls, { key, nonce, additional }: AeadAnswer, record: string): void {
  memory.set(fromHex(key), area.key.at);
  memory.set(fromHex(nonce), area.nonce.at);
  memory.set(fromHex(additional), area.additional.at);
  memory.set(fromHex(record), area.record.at);
}

function recordOf({ memory }: NativeCalls, bytes: number): Uint8Array {
  return memory.subarray(area.record.at, area.record.at + bytes);
}

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

function same(bytes: Uint8Array, hex: string): boolean {
  return Buffer.from(bytes).toString("hex") === hex;
}
