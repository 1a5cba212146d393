/** Vectors and numbers of the TLS presentation language (RFC 5246 §4.3) over the bounded reader and writer. */
import { ByteReader } from "../../bytes/byte-reader.ts";
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import { DtlsFormatError } from "./format-error.ts";

/** Bytes of the length in front of a vector. */
export type LengthBytes = 1 | 2 | 3;

export function readerOf(bytes: Uint8Array): ByteReader {
  return new ByteReader(bytes, (message) => new DtlsFormatError("truncated", message));
}

export function readVector(
  reader: ByteReader,
  lengthBytes: LengthBytes,
  name: string,
  least = 0,
  most = Number.POSITIVE_INFINITY,
): Uint8Array {
  const length = lengthBytes === 1 ? reader.u8() : lengthBytes === 2 ? reader.u16() : reader.u24();
  if (length < least || length > most) throw new DtlsFormatError("length", `${name}: ${length} bytes, expected ${least} to ${most}`);
  return reader.bytes(length);
}

export function readNumbers(reader: ByteReader, lengthBytes: 1 | 2, itemBytes: 1 | 2, name: string): number[] {
  const items = readVector(reader, lengthBytes, name, itemBytes);
  if (items.length % itemBytes !== 0) throw new DtlsFormatError("length", `${name}: ${items.length} bytes are no whole number of items`);
  const inner = readerOf(items);
  const numbers: number[] = [];
  while (inner.remaining > 0) numbers.push(itemBytes === 1 ? inner.u8() : inner.u16());
  return numbers;
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
