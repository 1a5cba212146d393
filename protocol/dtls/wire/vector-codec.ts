/** Vectors and numbers of the TLS presentation language (RFC 5246 §4.3) over the bounded reader and writer. */
import { ByteReader } from "../../bytes/byte-reader.ts";
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import { DtlsFormatError } from "./format-error.ts";

/** Bytes of the length in front of a vector. */
export type LengthBytes = 1 | 2 | 3;

const truncated = (message: string): DtlsFormatError => new DtlsFormatError("truncated", message);

export function readerOf(bytes: Uint8Array): ByteReader {
  return new ByteReader(bytes, truncated);
}

/** A view of the source. */
export function readVector(reader: ByteReader, lengthBytes: LengthBytes, name: string, least?: number, most?: number): Uint8Array {
  return reader.bytes(readLength(reader, lengthBytes, name, least, most));
}

/** A copy: messages live longer than the datagram they came in. */
export function readOpaque(reader: ByteReader, lengthBytes: LengthBytes, name: string, least?: number, most?: number): Uint8Array {
  return reader.copy(readLength(reader, lengthBytes, name, least, most));
}

/** Past a vector nobody looks into. */
export function skipVector(reader: ByteReader, lengthBytes: LengthBytes, name: string, least?: number, most?: number): void {
  reader.skip(readLength(reader, lengthBytes, name, least, most));
}

export function readNumbers(reader: ByteReader, lengthBytes: 1 | 2, itemBytes: 1 | 2, name: string): number[] {
  const length = readLength(reader, lengthBytes, name, itemBytes);
  if (length % itemBytes !== 0) throw new DtlsFormatError("length", `${name}: ${length} bytes are no whole number of items`);
  const numbers: number[] = [];
  for (let read = 0; read < length; read += itemBytes) numbers.push(itemBytes === 1 ? reader.u8() : reader.u16());
  return numbers;
}

function readLength(reader: ByteReader, lengthBytes: LengthBytes, name: string, least = 0, most = Number.POSITIVE_INFINITY): number {
  const length = lengthBytes === 1 ? reader.u8() : lengthBytes === 2 ? reader.u16() : reader.u24();
  if (length < least || length > most) throw new DtlsFormatError("length", `${name}: ${length} bytes, expected ${least} to ${most}`);
  return length;
}

/** Every structure ends where its bytes do (RFC 5246 §4.3: what is longer than its content is malformed). */
export function requireEnd(reader: ByteReader, name: string): void {
  if (reader.remaining > 0) throw new DtlsFormatError("trailing-bytes", `${name}: ${reader.remaining} bytes too many`);
}

export function writeVector(writer: ByteWriter, lengthBytes: LengthBytes, bytes: Uint8Array): void {
  if (lengthBytes === 1) writer.u8(bytes.length);
  else if (lengthBytes === 2) writer.u16(bytes.length);
  else writer.u24(bytes.length);
  writer.bytes(bytes);
}

export function writeNumbers(writer: ByteWriter, lengthBytes: 1 | 2, itemBytes: 1 | 2, numbers: readonly number[]): void {
  const length = numbers.length * itemBytes;
  if (lengthBytes === 1) writer.u8(length);
  else writer.u16(length);
  for (const number of numbers) {
    if (itemBytes === 1) writer.u8(number);
    else writer.u16(number);
  }
}

/** A vector behind two bytes of length whose content is written next. Returns what `endVector` takes. */
export function beginVector(writer: ByteWriter): number {
  writer.u16(0);
  return writer.position;
}

export function endVector(writer: ByteWriter, contentAt: number): void {
  writer.u16At(contentAt - 2, writer.position - contentAt);
}
