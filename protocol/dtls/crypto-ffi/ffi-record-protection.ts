/**
 * Record protection by calls into OpenSSL: the key set on every record, nothing kept per connection. CBC, records without content and those
 * longer than their area are left to node:crypto.
 */
import { PrefixViews } from "../../bytes/prefix-views.ts";
import { type NodeRecordProtectionNeeds, nodeRecordProtection } from "../crypto/node-record-protection.ts";
import {
  additionalData,
  innerTypeAt,
  type KeyPlace,
  type RecordFacts,
  type RecordProtection,
  recordNonce,
} from "../crypto/record-protection.ts";
import { writeEpochAndSequence } from "../wire/record-header.ts";
import { area, type NativeCalls } from "./native-calls.ts";

const failed = -1;
const mostTagBytes = 16;
/** The inner type of a record with connection id, too. */
const mostContentBytes = area.record.bytes - mostTagBytes - 1;

export function ffiRecordProtection(calls: NativeCalls, needs: NodeRecordProtectionNeeds): RecordProtection {
  const { memory } = calls;
  const node = nodeRecordProtection(needs);
  const record = new PrefixViews(memory.subarray(area.record.at, area.record.at + area.record.bytes));
  const contentAt = area.record.at;

  function copyIn(bytes: Uint8Array, at: number, length: number): void {
    // A view and a call cost less than a loop over some twenty bytes.
    memory.set(at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length), contentAt);
  }

  function copyOut(length: number, out: Uint8Array, outAt: number): void {
    out.set(record.upTo(length), outAt);
  }

  /** Key, nonce and additional data to their areas; how long the last are. */
  function prepare(keys: KeyPlace, facts: RecordFacts, nonce: Uint8Array, contentBytes: number): number {
    const { bytes, keyAt, suite } = keys;
    // Zeros would be read beyond the end, and taken for a key.
    if (!(keyAt >= 0 && keyAt + suite.keyBytes <= bytes.length)) throw new RangeError(`a key at ${keyAt} of ${bytes.length} bytes`);
    for (let i = 0; i < suite.keyBytes; i++) memory[area.key.at + i] = bytes[keyAt + i] ?? 0;
    memory.set(nonce, area.nonce.at);
    const additional = additionalData(facts, contentBytes);
    memory.set(additional, area.additional.at);
    return additional.length;
  }

  return {
    seal(keys, facts, plaintext, at, length, out, outAt) {
      const { cipher, explicitNonceBytes, tagBytes } = keys.suite;
      if (cipher === "aes-128-cbc" || length === 0 || length > mostContentBytes || at + length > plaintext.length) {
        return node.seal(keys, facts, plaintext, at, length, out, outAt);
      }
      copyIn(plaintext, at, length);
      let contentBytes = length;
      if (facts.connectionIdBytes > 0) {
        memory[contentAt + length] = facts.contentType;
        contentBytes += 1;
      }
      const sealedBytes = explicitNonceBytes + contentBytes + tagBytes;
      requireRoom(out, outAt, sealedBytes);
      writeEpochAndSequence(out, outAt, facts.epoch, facts.sequence);
      calls.seal(cipher, contentBytes, prepare(keys, facts, recordNonce(keys, out, outAt), contentBytes));
      copyOut(contentBytes + tagBytes, out, outAt + explicitNonceBytes);
      return sealedBytes;
    },
    open(keys, facts, bytes, at, length, out, outAt) {
      const { cipher, explicitNonceBytes, tagBytes } = keys.suite;
      const contentBytes = length - explicitNonceBytes - tagBytes;
      if (cipher === "aes-128-cbc" || contentBytes < 1 || contentBytes > mostContentBytes || at + length > bytes.length) {
        return node.open(keys, facts, bytes, at, length, out, outAt);
      }
      copyIn(bytes, at + explicitNonceBytes, contentBytes + tagBytes);
      if (!calls.open(cipher, contentBytes, prepare(keys, facts, recordNonce(keys, bytes, at), contentBytes))) return failed;
      let deliveredBytes = contentBytes;
      if (facts.connectionIdBytes > 0) {
        const typeAt = innerTypeAt(memory, contentAt, contentBytes);
        if (typeAt < 0) return failed;
        facts.contentType = memory[typeAt] ?? 0;
        deliveredBytes = typeAt - contentAt;
      }
      requireRoom(out, outAt, deliveredBytes);
      copyOut(deliveredBytes, out, outAt);
      return deliveredBytes;
    },
  };
}

function requireRoom(out: Uint8Array, at: number, bytes: number): void {
  if (at + bytes > out.length) throw new RangeError(`${bytes} bytes from ${at} of ${out.length}`);
}
