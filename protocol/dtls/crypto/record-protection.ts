/**
 * Protection of one record behind one interface, and what all its back ends share: nonce, additional data, sizes
 * (RFC 5246 §6.2.3, RFC 9146 §4 and §5, RFC 7366 §3).
 *
 * On the path of every datagram: keys and ids by buffer and offset, so that a connection is a row of bytes; facts in two objects the
 * caller reuses; nonce and additional data in buffers of this module, valid until the next call.
 */
import { ContentType, ProtocolVersion } from "../constants.ts";
import { writeEpochAndSequence } from "../wire/record-header.ts";
import type { Suite } from "./suites.ts";

/** Where the keys of one direction of a connection lie. Mutable so that one object serves all connections. */
export interface KeyPlace {
  suite: Suite;
  encryptThenMac: boolean;
  bytes: Uint8Array;
  /** `suite.macKeyBytes` from here, and so on; an offset of zero bytes is never read. */
  macKeyAt: number;
  keyAt: number;
  ivAt: number;
}

/** What a record says of itself and its MAC covers. */
export interface RecordFacts {
  /**
   * Of the content, never 25: `seal` reads it, and `open` of a record with connection id sets it from inside. Without a connection id
   * it is the type of the header, which the caller sets for both.
   */
  contentType: number;
  version: number;
  epoch: number;
  sequence: number;
  /** The id the record carries: the peer's when it is sealed, the own one when it is opened. */
  connectionId: Uint8Array;
  connectionIdAt: number;
  /** 0 protects in the form of RFC 6347: a zero-length id changes nothing (RFC 9146 §3). */
  connectionIdBytes: number;
  /** The id was negotiated under the drafts' code point, which has its own additional data. */
  draftConnectionId: boolean;
}

/**
 * Seals and opens records.
 *
 * What every back end must provide:
 * - Both methods, synchronous, for every `Cipher` of `suites.ts`; it may hand the CBC suites to the `node:crypto` back end.
 * - Nonce, additional data and inner type by `recordNonce`, `additionalData` and `innerTypeAt`, never its own: all back ends are byte for
 *   byte the same, and a connection may change between them from one record to the next. The first two lie in memory that never moves,
 *   one block each (for additional data one per length and form), so their addresses may be kept.
 * - No state per connection. Key and nonce are set on every call; `KeyPlace.bytes` may be another buffer each time, because rows of bytes grow.
 * - Offset and length of every buffer checked before they cross into native code, where nobody does; no address of a caller's buffer
 *   kept beyond the call, and none taken of a small array before its `buffer` was asked for, since it may lie in the moving heap.
 * - What was decrypted is wiped when the tag turns out wrong: native code writes the text before it knows.
 * - If it calls native code, a test of itself against `protectionVectors` when it is made, and a reason instead of a failure when it cannot
 *   load or does not pass: the `node:crypto` one is taken then.
 */
export interface RecordProtection {
  /**
   * Writes the fragment of the record into `out` from `outAt` (explicit nonce, ciphertext, tag) and returns its length, which
   * `sealedBytes` tells beforehand. The plaintext may lie in `out` only at `outAt + explicitNonceBytes`, where sealing needs no copy;
   * anywhere else it must not overlap.
   */
  seal(keys: KeyPlace, facts: RecordFacts, plaintext: Uint8Array, at: number, length: number, out: Uint8Array, outAt: number): number;
  /**
   * Writes the content into `out` from `outAt` and returns its length. -1 for a fragment that does not authenticate, whatever the cause:
   * then no byte of plaintext is in `out`, and what a back end wrote there is wiped. `out` may be `bytes`, at any offset up to `at` plus
   * `explicitNonceBytes`; it needs room for `length` bytes.
   */
  open(keys: KeyPlace, facts: RecordFacts, bytes: Uint8Array, at: number, length: number, out: Uint8Array, outAt: number): number;
}

const nonceBytes = 12;
const implicitNonceBytes = 4;
const plainAdditionalBytes = 13;
/** RFC 9146 §5: what comes beside the id itself. */
const connectionIdAdditionalBytes = 23;
const draftAdditionalBytes = 14;
const blockBytes = 16;
const mostIdBytes = 255;

/** Room a sealed record takes behind its header. */
export function sealedBytes({ suite, encryptThenMac }: KeyPlace, { connectionIdBytes }: RecordFacts, contentBytes: number): number {
  const innerBytes = connectionIdBytes > 0 ? contentBytes + 1 : contentBytes;
  if (suite.aead) return suite.explicitNonceBytes + innerBytes + suite.tagBytes;
  if (encryptThenMac) return suite.explicitNonceBytes + padded(innerBytes) + suite.tagBytes;
  return suite.explicitNonceBytes + padded(innerBytes + suite.tagBytes);
}

const nonce = fixedBuffer(nonceBytes);

/** Implicit part from the keys, explicit part as it stands (or will stand) in the record (RFC 5288 §3, RFC 6655 §3). */
export function recordNonce(keys: KeyPlace, explicit: Uint8Array, explicitAt: number): Buffer {
  for (let i = 0; i < implicitNonceBytes; i++) nonce[i] = keys.bytes[keys.ivAt + i] ?? 0;
  for (let i = implicitNonceBytes; i < nonceBytes; i++) nonce[i] = explicit[explicitAt + i - implicitNonceBytes] ?? 0;
  return nonce;
}

const plainAdditional = fixedBuffer(plainAdditionalBytes);
/** By length of the id: a listener knows one or two of them. */
const connectionIdAdditional: Buffer[] = [];
const draftAdditional: Buffer[] = [];

/** What the AEAD tag or the MAC covers before the content; `length` is that of the content with its inner type and padding. */
export function additionalData(facts: RecordFacts, length: number): Buffer {
  if (facts.connectionIdBytes === 0) return plainAdditionalData(facts, length);
  if (facts.connectionIdBytes > mostIdBytes) throw new Error(`a connection id of ${facts.connectionIdBytes} bytes`);
  return facts.draftConnectionId ? draftAdditionalData(facts, length) : connectionIdAdditionalData(facts, length);
}

/** RFC 5246 §6.2.3.3, with epoch and sequence number as one (RFC 6347 §4.1.2.1). */
function plainAdditionalData(facts: RecordFacts, length: number): Buffer {
  writeEpochAndSequence(plainAdditional, 0, facts.epoch, facts.sequence);
  plainAdditional[8] = facts.contentType;
  plainAdditional.writeUInt16BE(facts.version, 9);
  plainAdditional.writeUInt16BE(length, 11);
  return plainAdditional;
}

/** RFC 9146 §5.1 to §5.3: one layout for all three kinds of protection. */
function connectionIdAdditionalData(facts: RecordFacts, length: number): Buffer {
  const idBytes = facts.connectionIdBytes;
  // The first eight bytes stand for a sequence number that no record can have, and are never written again.
  connectionIdAdditional[idBytes] ??= fixedBuffer(connectionIdAdditionalBytes + idBytes).fill(0xff);
  const out = connectionIdAdditional[idBytes];
  out[8] = ContentType.connectionId;
  out[9] = idBytes;
  out[10] = ContentType.connectionId;
  out.writeUInt16BE(facts.version, 11);
  writeEpochAndSequence(out, 13, facts.epoch, facts.sequence);
  copyId(facts, out, 21);
  out.writeUInt16BE(length, 21 + idBytes);
  return out;
}

/** draft-ietf-tls-dtls-connection-id-05 §5. */
function draftAdditionalData(facts: RecordFacts, length: number): Buffer {
  const idBytes = facts.connectionIdBytes;
  draftAdditional[idBytes] ??= fixedBuffer(draftAdditionalBytes + idBytes);
  const out = draftAdditional[idBytes];
  writeEpochAndSequence(out, 0, facts.epoch, facts.sequence);
  out[8] = ContentType.connectionId;
  out.writeUInt16BE(facts.version, 9);
  copyId(facts, out, 11);
  out[11 + idBytes] = idBytes;
  out.writeUInt16BE(length, 12 + idBytes);
  return out;
}

function copyId(facts: RecordFacts, out: Uint8Array, at: number): void {
  for (let i = 0; i < facts.connectionIdBytes; i++) out[at + i] = facts.connectionId[facts.connectionIdAt + i] ?? 0;
}

/** Memory of its own: small buffers begin inside the heap, where the collector moves them, and native code must not meet that. */
function fixedBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** Facts to fill in and reuse: those of an epoch 1 record without connection id. */
export function newRecordFacts(): RecordFacts {
  return {
    contentType: ContentType.applicationData,
    version: ProtocolVersion.dtls12,
    epoch: 1,
    sequence: 0,
    connectionId: new Uint8Array(0),
    connectionIdAt: 0,
    connectionIdBytes: 0,
    draftConnectionId: false,
  };
}

/**
 * Where the content ends and its type stands in an opened inner plaintext of `length` bytes from `at`: the last byte that is not zero, or
 * -1 when there is none (RFC 9146 §4).
 */
export function innerTypeAt(bytes: Uint8Array, at: number, length: number): number {
  let end = at + length - 1;
  while (end >= at && bytes[end] === 0) end--;
  return end < at ? -1 : end;
}

/** CBC: content, at least one byte of padding, whole blocks (RFC 5246 §6.2.3.2). */
export function padded(length: number): number {
  return length + blockBytes - (length % blockBytes);
}
