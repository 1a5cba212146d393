/** Resource values inside TLV entries (LwM2M Core 1.1 appendix C, column TLV). */
import type { ByteReader } from "../bytes/byte-reader.ts";
import { ByteWriter } from "../bytes/byte-writer.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { requireBounds } from "./scalar.ts";
import { type ToleranceSwitch, tolerate } from "./tolerance.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

const utf8 = new TextEncoder();

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

export function tlvValueBytes(value: ResourceValue): Uint8Array {
  switch (value.type) {
    case "string":
    case "corelnk":
      return utf8.encode(value.value);
    case "integer":
    case "time":
      return signedBytes(requireBounds(value.value, value.type));
    case "unsigned":
      return unsignedBytes(requireBounds(value.value, value.type));
    case "float":
      return floatBytes(value.value);
    case "boolean":
      return Uint8Array.of(value.value ? 1 : 0);
    case "opaque":
      return value.value;
    case "objlnk": {
      const writer = new ByteWriter(4);
      writer.u16(value.value.objectId);
      writer.u16(value.value.instanceId);
      return writer.toBytes();
    }
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

function signedBytes(value: bigint): Uint8Array {
  const writer = new ByteWriter(8);
  if (BigInt.asIntN(8, value) === value) writer.i8(Number(value));
  else if (BigInt.asIntN(16, value) === value) writer.i16(Number(value));
  else if (BigInt.asIntN(32, value) === value) writer.i32(Number(value));
  else writer.i64(value);
  return writer.toBytes();
}

function unsignedBytes(value: bigint): Uint8Array {
  const writer = new ByteWriter(8);
  if (value <= 0xffn) writer.u8(Number(value));
  else if (value <= 0xffffn) writer.u16(Number(value));
  else if (value <= 0xffffffffn) writer.u32(Number(value));
  else writer.u64(value);
  return writer.toBytes();
}

/** Single precision where it loses nothing. */
function floatBytes(value: number): Uint8Array {
  const writer = new ByteWriter(8);
  if (Object.is(Math.fround(value), value)) writer.f32(value);
  else writer.f64(value);
  return writer.toBytes();
}
