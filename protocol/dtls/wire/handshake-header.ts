/** The 12 bytes in front of every handshake fragment (RFC 6347 §4.2.2); several fragments may share one record. */
import type { ByteReader } from "../../bytes/byte-reader.ts";
import { DtlsFormatError } from "./format-error.ts";
import { readerOf } from "./vector-codec.ts";

export const handshakeHeaderBytes = 12;

export interface HandshakeFragment {
  readonly type: number;
  /** Of the whole message, without its header. */
  readonly length: number;
  /** message_seq. */
  readonly sequence: number;
  readonly fragmentOffset: number;
  /** The fragment_length bytes; a view of what was read. */
  readonly bytes: Uint8Array;
}

/** The fragments of one record, in order. A fragment that leaves its message or its record spoils the record. */
export function readHandshakeFragments(record: Uint8Array): HandshakeFragment[] {
  const reader = readerOf(record);
  // Nearly always the only one: an empty array that grows takes room for 17.
  const fragments = [readFragment(reader)];
  while (reader.remaining > 0) fragments.push(readFragment(reader));
  return fragments;
}

function readFragment(reader: ByteReader): HandshakeFragment {
  const type = reader.u8();
  const length = reader.u24();
  const sequence = reader.u16();
  const fragmentOffset = reader.u24();
  const fragmentLength = reader.u24();
  if (fragmentOffset + fragmentLength > length) {
    throw new DtlsFormatError("length", `fragment ${fragmentOffset}+${fragmentLength} of a message of ${length} bytes`);
  }
  return { type, length, sequence, fragmentOffset, bytes: reader.bytes(fragmentLength) };
}

/** Whole, as one fragment: what the transcript hashes, however it travelled (RFC 6347 §4.2.6). */
export function encodeHandshakeMessage(type: number, sequence: number, body: Uint8Array): Uint8Array {
  return encodeHandshakeFragment({ type, length: body.length, sequence, fragmentOffset: 0, bytes: body });
}

export function encodeHandshakeFragment({ type, length, sequence, fragmentOffset, bytes }: HandshakeFragment): Uint8Array {
  const fragment = new Uint8Array(handshakeHeaderBytes + bytes.length);
  writeHandshakeHeader(fragment, 0, { type, length, sequence }, fragmentOffset, bytes.length);
  fragment.set(bytes, handshakeHeaderBytes);
  return fragment;
}

/** Of every message that is sent or hashed, so without a writer. */
export function writeHandshakeHeader(
  out: Uint8Array,
  at: number,
  { type, length, sequence }: { readonly type: number; readonly length: number; readonly sequence: number },
  fragmentOffset: number,
  fragmentLength: number,
): void {
  out[at] = type;
  writeU24(out, at + 1, length);
  out[at + 4] = sequence >>> 8;
  out[at + 5] = sequence;
  writeU24(out, at + 6, fragmentOffset);
  writeU24(out, at + 9, fragmentLength);
}

function writeU24(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 16;
  out[at + 1] = value >>> 8;
  out[at + 2] = value;
}
