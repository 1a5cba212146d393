/** Resource values inside TLV entries (LwM2M Core 1.1 appendix C, column TLV). */
import { ByteReader } from "../bytes/byte-reader.ts";
import { ByteWriter } from "../bytes/byte-writer.ts";
import { findUtf8 } from "../bytes/utf8.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { requireBounds } from "./scalar.ts";
import { type ToleranceSwitch, tolerate } from "./tolerance.ts";
import type { ResourceType, ResourceValue } from "./value.ts";

/** Throws `value` when the bytes are no value of that type. */
export function readTlvValue(bytes: Uint8Array, type: ResourceType, context: ToleranceSwitch): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk": {
      const value = findUtf8(bytes);
      if (value === undefined) throw new Lwm2mFormatError("value", `expected ${type}, got bytes that are not UTF-8`);
      return { type, value };
    }
    case "integer":
    case "time":
      return { type, value: signed(bytes, type) };
    case "unsigned":
      return { type, value: BigInt.asUintN(bytes.length * 8, signed(bytes, type)) };
    case "float":
      return { type, value: float(bytes) };
    case "boolean":
      return { type, value: truth(bytes, context) };
    case "opaque":
      return { type, value: new Uint8Array(bytes) };
    case "objlnk": {
      const reader = fixed(bytes, type, [4]);
      return { type, value: { objectId: reader.u16(), instanceId: reader.u16() } };
    }
  }
}

export function tlvValueBytes(value: ResourceValue): Uint8Array {
  switch (value.type) {
    case "string":
    case "corelnk":
      return new TextEncoder().encode(value.value);
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
function signed(bytes: Uint8Array, type: ResourceType): bigint {
  const reader = fixed(bytes, type, [1, 2, 4, 8]);
  switch (bytes.length) {
    case 1:
      return BigInt(reader.i8());
    case 2:
      return BigInt(reader.i16());
    case 4:
      return BigInt(reader.i32());
    default:
      return reader.i64();
  }
}

function float(bytes: Uint8Array): number {
  const reader = fixed(bytes, "float", [4, 8]);
  return bytes.length === 4 ? reader.f32() : reader.f64();
}

/** One byte, 0 or 1. Some devices send an Integer in its place (eclipse-leshan/leshan#1613): taken when it is 0 or 1. */
function truth(bytes: Uint8Array, context: ToleranceSwitch): boolean {
  const value = signed(bytes, "boolean");
  if (value !== 0n && value !== 1n) throw new Lwm2mFormatError("value", `expected boolean 0 or 1, got ${value}`);
  if (bytes.length !== 1) tolerate(context, "tlv-boolean-length");
  return value === 1n;
}

function fixed(bytes: Uint8Array, type: ResourceType, lengths: readonly number[]): ByteReader {
  if (!lengths.includes(bytes.length)) {
    throw new Lwm2mFormatError("value", `expected ${type} in ${lengths.join(", ")} bytes, got ${bytes.length}`);
  }
  return new ByteReader(bytes, (message) => new Lwm2mFormatError("tlv", message));
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
