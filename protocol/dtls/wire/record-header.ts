/**
 * Record headers (RFC 6347 §4.1) and those with a connection id (RFC 9146 §4).
 *
 * On the path of every datagram: one reused view, offsets instead of slices, the 48-bit sequence number as one double.
 */
import { ContentType, ProtocolVersion } from "../constants.ts";

/** Type, version, epoch, sequence number, length. A connection id comes on top. */
export const recordHeaderBytes = 13;
/** Where the connection id of a tls12_cid record begins. */
export const connectionIdOffset = 11;
/** RFC 5246 §6.2.3: 2^14 bytes of plaintext and what protection may add. */
export const largestFragmentBytes = 18_432;
export const largestSequence = 2 ** 48 - 1;

const epochOffset = 3;
const sequenceOffset = 5;
const lengthBytes = 2;
const wordSteps = 2 ** 32;

/** The record read last; every field is of that one until the next `read`. */
export class RecordView {
  type = 0;
  version = 0;
  epoch = 0;
  /** 48 bits, exact. */
  sequence = 0;
  headerAt = 0;
  connectionIdAt = 0;
  /** 0 for a record without connection id. */
  connectionIdBytes = 0;
  fragmentAt = 0;
  fragmentBytes = 0;

  /**
   * Where the next record of this datagram would begin, or -1 for bytes that are no record: what follows them cannot be found.
   * `ownIdBytes` is the one length of the ids this side hands out; 0 makes a tls12_cid record no record (RFC 9146 §4).
   */
  read(datagram: Uint8Array, at: number, ownIdBytes: number): number {
    const type = datagram[at] ?? 0;
    const idBytes = type === ContentType.connectionId ? ownIdBytes : 0;
    const fragmentAt = at + recordHeaderBytes + idBytes;
    if (fragmentAt > datagram.length || (type === ContentType.connectionId && ownIdBytes === 0)) return -1;
    const fragmentBytes = u16(datagram, fragmentAt - lengthBytes);
    const end = fragmentAt + fragmentBytes;
    if (end > datagram.length || fragmentBytes > largestFragmentBytes) return -1;
    this.type = type;
    this.version = u16(datagram, at + 1);
    this.epoch = u16(datagram, at + epochOffset);
    this.sequence = u16(datagram, at + sequenceOffset) * wordSteps + u32(datagram, at + sequenceOffset + 2);
    this.headerAt = at;
    this.connectionIdAt = at + connectionIdOffset;
    this.connectionIdBytes = idBytes;
    this.fragmentAt = fragmentAt;
    this.fragmentBytes = fragmentBytes;
    return end;
  }
}

/** Returns where the fragment begins. HelloVerifyRequest alone carries another version (RFC 6347 §4.2.1). */
export function writeRecordHeader(
  out: Uint8Array,
  at: number,
  { type, epoch, sequence, version = ProtocolVersion.dtls12 }: { type: number; epoch: number; sequence: number; version?: number },
  fragmentBytes: number,
): number {
  writeStart(out, at, type, version);
  writeEpochAndSequence(out, at + epochOffset, epoch, sequence);
  writeU16(out, at + recordHeaderBytes - lengthBytes, fragmentBytes);
  return at + recordHeaderBytes;
}

/** The tls12_cid form; the type of the content travels inside (RFC 9146 §4). Returns where the fragment begins. */
export function writeConnectionIdHeader(
  out: Uint8Array,
  at: number,
  { epoch, sequence, connectionId }: { epoch: number; sequence: number; connectionId: Uint8Array },
  fragmentBytes: number,
): number {
  writeStart(out, at, ContentType.connectionId, ProtocolVersion.dtls12);
  writeEpochAndSequence(out, at + epochOffset, epoch, sequence);
  out.set(connectionId, at + connectionIdOffset);
  const fragmentAt = at + recordHeaderBytes + connectionId.length;
  writeU16(out, fragmentAt - lengthBytes, fragmentBytes);
  return fragmentAt;
}

/** Eight bytes: also the explicit nonce and the start of what a MAC covers. */
export function writeEpochAndSequence(out: Uint8Array, at: number, epoch: number, sequence: number): void {
  writeU16(out, at, epoch);
  writeU16(out, at + 2, Math.floor(sequence / wordSteps));
  const low = sequence >>> 0;
  writeU16(out, at + 4, low >>> 16);
  writeU16(out, at + 6, low & 0xffff);
}

function writeStart(out: Uint8Array, at: number, type: number, version: number): void {
  out[at] = type;
  writeU16(out, at + 1, version);
}

function writeU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2);
}
