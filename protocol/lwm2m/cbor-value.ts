/** application/cbor, content format 60: one value as one CBOR item (LwM2M Core 1.1 §7.4.3). */
import { CborReader } from "../cbor/cbor-reader.ts";
import { CborWriter } from "../cbor/cbor-writer.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { onlyValue, singleValuePath, typeAt } from "./node.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { readScalar, requireBounds, type Scalar, scalarOfCbor } from "./scalar.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

export function decodeCborValue(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const path = singleValuePath(context);
  const reader = new CborReader(payload, (message) => new Lwm2mFormatError("cbor", message));
  const scalar = scalarOfCbor(reader.readScalar());
  reader.finish();
  if (scalar === null) return [{ path }];
  return [{ path, value: readCborScalar(scalar, typeAt(path, context), context) }];
}

export function encodeCborValue(values: readonly PathValue[]): Uint8Array {
  const writer = new CborWriter();
  writeCborValue(writer, onlyValue(values));
  return writer.toBytes();
}

/** Object links are text in CBOR, with no label of their own (LwM2M Core 1.1 appendix C). */
export function readCborScalar(scalar: Scalar, type: ResourceType | undefined, context: DecodeContext): ResourceValue {
  const isLink = type === "objlnk" && scalar.kind === "text";
  return readScalar(isLink ? { kind: "link", value: scalar.value } : scalar, type, context);
}

/** One item in the form of the type. */
export function writeCborValue(writer: CborWriter, value: ResourceValue): void {
  switch (value.type) {
    case "string":
    case "corelnk":
      writer.text(value.value);
      return;
    case "integer":
    case "unsigned":
    case "time":
      writer.integer(requireBounds(value.value, value.type));
      return;
    case "float":
      writer.float(value.value);
      return;
    case "boolean":
      writer.boolean(value.value);
      return;
    case "opaque":
      writer.bytes(value.value);
      return;
    case "objlnk":
      writer.text(`${value.value.objectId}:${value.value.instanceId}`);
  }
}
