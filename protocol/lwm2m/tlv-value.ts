/** Resource values inside TLV entries (LwM2M Core 1.1 appendix C, column TLV). */
import type { BackwardWriter } from "../bytes/backward-writer.ts";
import type { ByteReader } from "../bytes/byte-reader.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { requireBounds } from "./scalar.ts";
import { type ToleranceSwitch, tolerate } from "./tolerance.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

/** Two identifiers of 16 bits. */
const linkBytes = 4;

/** The next `length` bytes as a value; throws `value` when they are none of that type, and may then stop anywhere within them. */
export function readTlvValue(reader: ByteReader, length: number, type: ResourceType, context: ToleranceSwitch): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk": {
      const value = reader.utf8(length);
      if (value === undefined) throw new Lwm2mFormatError("value", `expected ${type}, got bytes that are not UTF-8`);
      return { type, value };
    }
    case "integer":
    case "time":
      return { type, value: BigInt(signed(reader, length, type)) };
    case "unsigned":
      return { type, value: BigInt.asUintN(length * 8, BigInt(signed(reader, length, type))) };
    case "float":
      return { type, value: float(reader, length) };
    case "boolean":
      return { type, value: truth(reader, length, context) };
    case "opaque":
      return { type, value: new Uint8Array(reader.bytes(length)) };
    case "objlnk":
      if (length !== linkBytes) throw wrongLength(type, String(linkBytes), length);
      return { type, value: { objectId: reader.u16(), instanceId: reader.u16() } };
  }
}

export function writeTlvValue(writer: BackwardWriter, value: ResourceValue): void {
  switch (value.type) {
    case "string":
    case "corelnk":
      writer.text(value.value);
      return;
    case "integer":
    case "time":
      writeSigned(writer, value.value, value.type);
      return;
    case "unsigned":
      writeUnsigned(writer, value.value);
      return;
    case "float":
      // Single precision where it loses nothing.
      if (Object.is(Math.fround(value.value), value.value)) writer.f32(value.value);
      else writer.f64(value.value);
      return;
    case "boolean":
      writer.u8(value.value ? 1 : 0);
      return;
    case "opaque":
      writer.bytes(value.value);
      return;
    case "objlnk":
      writer.u16(value.value.instanceId);
      writer.u16(value.value.objectId);
  }
}

/** 1, 2, 4 or 8 bytes, two's complement, big-endian; no other length is an integer. */
function signed(reader: ByteReader, length: number, type: ResourceType): number | bigint {
  switch (length) {
    case 1:
      return reader.i8();
    case 2:
      return reader.i16();
    case 4:
      return reader.i32();
    case 8:
      return reader.i64();
    default:
      throw wrongLength(type, "1, 2, 4, 8", length);
  }
}

function float(reader: ByteReader, length: number): number {
  switch (length) {
    case 4:
      return reader.f32();
    case 8:
      return reader.f64();
    default:
      throw wrongLength("float", "4, 8", length);
  }
}

/** One byte, 0 or 1. Some devices send an Integer in its place (eclipse-leshan/leshan#1613): taken when it is 0 or 1. */
function truth(reader: ByteReader, length: number, context: ToleranceSwitch): boolean {
  const value = BigInt(signed(reader, length, "boolean"));
  if (value !== 0n && value !== 1n) throw new Lwm2mFormatError("value", `expected boolean 0 or 1, got ${value}`);
  if (length !== 1) tolerate(context, "tlv-boolean-length");
  return value === 1n;
}

function wrongLength(type: ResourceType, lengths: string, length: number): Lwm2mFormatError {
  return new Lwm2mFormatError("value", `expected ${type} in ${lengths} bytes, got ${length}`);
}

/** The shortest of 1, 2, 4 and 8 bytes that holds it. */
function writeSigned(writer: BackwardWriter, value: bigint, type: "integer" | "time"): void {
  const number = Number(value);
  if (number >= -0x80 && number <= 0x7f) writer.u8(number);
  else if (number >= -0x8000 && number <= 0x7fff) writer.u16(number);
  else if (number >= -0x80000000 && number <= 0x7fffffff) writer.u32(number);
  else writer.u64(requireBounds(value, type));
}

function writeUnsigned(writer: BackwardWriter, value: bigint): void {
  const number = Number(requireBounds(value, "unsigned"));
  if (number <= 0xff) writer.u8(number);
  else if (number <= 0xffff) writer.u16(number);
  else if (number <= 0xffffffff) writer.u32(number);
  else writer.u64(value);
}
