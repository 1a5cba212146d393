/** application/senml+json, content format 110 (RFC 8428 §5; LwM2M Core 1.1 §7.4.4). */
import { encodeBase64Url, findBase64 } from "./base64.ts";
import { describeJson, isJsonArray, isJsonNumber, isJsonObject, type JsonNode, parseExactJson } from "./exact-json.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatJsonNumber } from "./json-number.ts";
import { assertRecordCount } from "./node.ts";
import { findDecimal, type ScalarNumber } from "./number-text.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import type { Scalar } from "./scalar.ts";
import { emptyRecord, type OutgoingRecord, resolveRecords, type SenmlRecord, toRecords } from "./senml.ts";
import type { PathValue, ResourceValue } from "./value.ts";

export function decodeSenmlJson(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  return resolveRecords(readSenmlJsonRecords(payload, context), context);
}

export function encodeSenmlJson(values: readonly PathValue[], context: EncodeContext): Uint8Array {
  return writeSenmlJsonRecords(toRecords(values, context));
}

/** The records of a pack; throws `json` or `senml`. */
export function readSenmlJsonRecords(payload: Uint8Array, context: Pick<DecodeContext, "limits">): readonly SenmlRecord[] {
  const pack = parseExactJson(payload);
  if (!isJsonArray(pack)) throw new Lwm2mFormatError("senml", `a pack is an array, got ${describeJson(pack)}`);
  assertRecordCount(pack.length, context);
  return pack.map(readRecord);
}

export function writeSenmlJsonRecords(records: readonly OutgoingRecord[]): Uint8Array {
  return new TextEncoder().encode(`[${records.map(writeRecord).join(",")}]`);
}

/** A field as a finite number; throws `senml`. Shared with JSON 11543. */
export function jsonNumber(node: JsonNode, field: string): ScalarNumber {
  const decimal = isJsonNumber(node) ? findDecimal(node.numberText) : undefined;
  if (decimal === undefined) throw new Lwm2mFormatError("senml", `${field}: expected a finite number, got ${describeJson(node)}`);
  return decimal;
}

export function jsonText(node: JsonNode, field: string): string {
  if (typeof node !== "string") throw new Lwm2mFormatError("senml", `${field}: expected a string, got ${describeJson(node)}`);
  return node;
}

export function jsonTruth(node: JsonNode, field: string): boolean {
  if (typeof node !== "boolean") throw new Lwm2mFormatError("senml", `${field}: expected a boolean, got ${describeJson(node)}`);
  return node;
}

/** A record has one value at most (RFC 8428 §4.2). */
export function setOnlyValue(record: SenmlRecord, value: Scalar | null, field: string): void {
  if (record.value !== undefined) throw new Lwm2mFormatError("senml", `${field}: a record has one value`);
  record.value = value;
}

/** `bver` above it is a format to come, which must not be read (RFC 8428 §4.4). */
export const greatestSenmlVersion = 10;

function readRecord(node: JsonNode): SenmlRecord {
  if (!isJsonObject(node)) throw new Lwm2mFormatError("senml", `a record is an object, got ${describeJson(node)}`);
  const record = emptyRecord();
  for (let index = 0; index < node.names.length; index++) readField(record, node.names[index] ?? "", node.values[index] ?? null);
  return record;
}

function readField(record: SenmlRecord, field: string, node: JsonNode): void {
  switch (field) {
    case "bn":
      record.baseName = jsonText(node, field);
      break;
    case "bt":
      record.baseTime = jsonNumber(node, field).float;
      break;
    case "bv":
      record.baseValue = jsonNumber(node, field);
      break;
    case "bver":
      requireKnownVersion(jsonNumber(node, field).float);
      break;
    case "n":
      record.name = jsonText(node, field);
      break;
    case "t":
      record.time = jsonNumber(node, field).float;
      break;
    case "v":
      setOnlyValue(record, node === null ? null : jsonNumber(node, field), field);
      break;
    case "vs":
      setOnlyValue(record, { kind: "text", value: jsonText(node, field) }, field);
      break;
    case "vb":
      setOnlyValue(record, { kind: "boolean", value: jsonTruth(node, field) }, field);
      break;
    case "vd":
      setOnlyValue(record, { kind: "bytes", value: bytesOf(jsonText(node, field)) }, field);
      break;
    case "vlo":
      setOnlyValue(record, { kind: "link", value: jsonText(node, field) }, field);
      break;
    default:
      requireIgnorable(field);
  }
}

export function requireKnownVersion(version: number): void {
  if (version > greatestSenmlVersion) {
    throw new Lwm2mFormatError("senml", `bver: version ${version}, at most ${greatestSenmlVersion}`);
  }
}

/** Units, sums and unknown fields say nothing to LwM2M; a name that ends in "_" must be understood or refused (RFC 8428 §4.4). */
export function requireIgnorable(field: string): void {
  if (field.endsWith("_")) throw new Lwm2mFormatError("senml", `field ${JSON.stringify(field.slice(0, 64))} must be understood`);
}

/** The RFC wants the URL-safe alphabet without padding; LwM2M examples use the other (all are accepted). */
function bytesOf(text: string): Uint8Array {
  const decoded = findBase64(text);
  if (decoded === undefined) throw new Lwm2mFormatError("senml", "vd: not Base64");
  return decoded.bytes;
}

function writeRecord(record: OutgoingRecord): string {
  const fields: string[] = [];
  if (record.baseName !== undefined) fields.push(`"bn":${JSON.stringify(record.baseName)}`);
  if (record.baseTime !== undefined) fields.push(`"bt":${record.baseTime}`);
  if (record.name !== undefined) fields.push(`"n":${JSON.stringify(record.name)}`);
  if (record.time !== undefined) fields.push(`"t":${record.time}`);
  if (record.value !== undefined) fields.push(valueField(record.value));
  return `{${fields.join(",")}}`;
}

function valueField(value: ResourceValue | null): string {
  if (value === null) return `"v":null`;
  switch (value.type) {
    case "string":
    case "corelnk":
      return `"vs":${JSON.stringify(value.value)}`;
    case "integer":
    case "unsigned":
    case "time":
    case "float":
      return `"v":${formatJsonNumber(value)}`;
    case "boolean":
      return `"vb":${value.value}`;
    case "opaque":
      return `"vd":"${encodeBase64Url(value.value)}"`;
    case "objlnk":
      return `"vlo":"${value.value.objectId}:${value.value.instanceId}"`;
  }
}
