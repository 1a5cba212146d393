/**
 * One TLV entry as bytes: type, identifier, length, value (LwM2M Core 1.1 §7.4.5, table 7.4.5.-1).
 *
 * On the path of every payload: one reader walks all levels, because a view of each value costs more than reading it, and one
 * writer writes them from the last to the first, because a length is known only when its value is written.
 */
import type { BackwardWriter } from "../bytes/backward-writer.ts";
import { ByteReader } from "../bytes/byte-reader.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { maxIdentifier } from "./path.ts";

/** Bits 7–6 of the type byte. */
export const TlvKind = { objectInstance: 0, resourceInstance: 1, multipleResource: 2, resource: 3 } as const;
export type TlvKind = (typeof TlvKind)[keyof typeof TlvKind];

/** The head of an entry; its value is the bytes up to `end`, where the reader stands at their first. */
export interface TlvEntry {
  readonly kind: TlvKind;
  readonly id: number;
  /** Offset in the payload. */
  readonly end: number;
}

const wideIdentifierBit = 0x20;
const maxShortLength = 7;
const maxLength = 0xffffff;
const tlvFailure = (message: string): Lwm2mFormatError => new Lwm2mFormatError("tlv", message);
const kindNames = ["object instance", "resource instance", "multiple resource", "resource"] as const;

export function tlvReader(payload: Uint8Array): ByteReader {
  return new ByteReader(payload, tlvFailure);
}

/** Reads the head of the next entry; throws `tlv` when the entry reaches past `end`, where its parent ends, or its identifier is reserved. */
export function readTlvEntry(reader: ByteReader, end: number): TlvEntry {
  const type = reader.u8();
  const id = (type & wideIdentifierBit) === 0 ? reader.u8() : reader.u16();
  const length = readLength(reader, type);
  const left = end - reader.position;
  if (length > left) throw tlvFailure(`offset ${reader.position}: ${length} bytes needed, ${Math.max(left, 0)} left`);
  if (id > maxIdentifier) throw tlvFailure(`identifier ${id}, at most ${maxIdentifier}`);
  return { kind: kindOf(type), id, end: reader.position + length };
}

/** Puts the head in front of the last `length` bytes written, which are the value of the entry. */
export function writeTlvHead(writer: BackwardWriter, kind: TlvKind, id: number, length: number): void {
  if (length > maxLength) throw new Lwm2mFormatError("limit", `TLV value of ${length} bytes, at most ${maxLength}`);
  writeLength(writer, length);
  const wideId = id > 0xff;
  if (wideId) writer.u16(id);
  else writer.u8(id);
  writer.u8((kind << 6) | (wideId ? wideIdentifierBit : 0) | lengthBits(length));
}

export function tlvKindName(kind: TlvKind): string {
  return kindNames[kind];
}

function kindOf(type: number): TlvKind {
  switch (type >> 6) {
    case 0:
      return TlvKind.objectInstance;
    case 1:
      return TlvKind.resourceInstance;
    case 2:
      return TlvKind.multipleResource;
    default:
      return TlvKind.resource;
  }
}

/** Bits 4–3 give the width of the length field; with none, bits 2–0 are the length, otherwise they are ignored. */
function readLength(reader: ByteReader, type: number): number {
  switch ((type >> 3) & 3) {
    case 1:
      return reader.u8();
    case 2:
      return reader.u16();
    case 3:
      return reader.u24();
    default:
      return type & maxShortLength;
  }
}

function lengthBits(length: number): number {
  if (length <= maxShortLength) return length;
  if (length <= 0xff) return 1 << 3;
  return (length <= 0xffff ? 2 : 3) << 3;
}

function writeLength(writer: BackwardWriter, length: number): void {
  if (length <= maxShortLength) return;
  if (length <= 0xff) writer.u8(length);
  else if (length <= 0xffff) writer.u16(length);
  else writer.u24(length);
}
