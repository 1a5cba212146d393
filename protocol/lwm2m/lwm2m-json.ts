/** application/vnd.oma.lwm2m+json, content format 11543: the JSON of LwM2M 1.0 (LwM2M 1.0 TS §6.4.4), SenML in an envelope. */
import { encodeBase64 } from "./base64.ts";
import { describeJson, isJsonArray, isJsonObject, type JsonNode, parseExactJson } from "./exact-json.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatJsonNumber } from "./json-number.ts";
import { assertRecordCount } from "./node.ts";
import { formatPath } from "./path.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import { emptyRecord, type OutgoingRecord, resolveRecords, type SenmlRecord, toRecords } from "./senml.ts";
import { jsonNumber, jsonText, jsonTruth, setOnlyValue } from "./senml-json.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceValue } from "./value.ts";

export function decodeLwm2mJson(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const envelope = parseExactJson(payload);
  if (!isJsonObject(envelope)) throw new Lwm2mFormatError("json", `expected an object, got ${describeJson(envelope)}`);
  const entries = envelope.get("e");
  if (entries === undefined || !isJsonArray(entries)) {
    throw new Lwm2mFormatError("json", `e: expected an array, got ${describeJson(entries)}`);
  }
  assertRecordCount(entries.length, context);
  const baseName = baseNameOf(envelope.get("bn"), context);
  const baseTime = envelope.get("bt");
  const lacksSlash = context.path !== undefined && baseName === formatPath(context.path);
  const records = entries.map((entry) => readEntry(entry, baseName, lacksSlash, context));
  const [first] = records;
  if (first !== undefined && baseTime !== undefined) first.baseTime = jsonNumber(baseTime, "bt").float;
  return resolveRecords(records, context, { ...context, opaqueAsText: true });
}

export function encodeLwm2mJson(values: readonly PathValue[], context: EncodeContext): Uint8Array {
  const records = toRecords(values, context);
  const [first] = records;
  const fields = [
    ...(first?.baseName === undefined ? [] : [`"bn":${JSON.stringify(first.baseName)}`]),
    ...(first?.baseTime === undefined ? [] : [`"bt":${first.baseTime}`]),
    `"e":[${records.map(writeEntry).join(",")}]`,
  ];
  return new TextEncoder().encode(`{${fields.join(",")}}`);
}

/** Without a base name, names are relative to the request (LwM2M 1.0 TS §6.4.4, table 19). */
function baseNameOf(node: JsonNode | undefined, context: DecodeContext): string {
  if (node !== undefined) return jsonText(node, "bn");
  return context.path === undefined ? "" : `${formatPath(context.path)}/`;
}

/** `lacksSlash`: the base name is the path asked for, and names may follow it without the slash between. */
function readEntry(node: JsonNode, baseName: string, lacksSlash: boolean, context: DecodeContext): SenmlRecord {
  if (!isJsonObject(node)) throw new Lwm2mFormatError("json", `an entry is an object, got ${describeJson(node)}`);
  const record = emptyRecord();
  for (let index = 0; index < node.names.length; index++) readField(record, node.names[index] ?? "", node.values[index] ?? null);
  record.baseName = joinable(baseName, record.name ?? "", lacksSlash, context);
  record.name ??= "";
  return record;
}

/** The base name as it must be for this name: exactly the path asked for, with its slash, however the device wrote it. */
function joinable(baseName: string, name: string, lacksSlash: boolean, context: DecodeContext): string {
  if (name === "") return baseName.length > 1 && baseName.endsWith("/") ? baseName.slice(0, -1) : baseName;
  if (!lacksSlash || name.startsWith("/")) return baseName;
  tolerate(context, "json-base-name-without-slash", "json");
  return `${baseName}/`;
}

function readField(record: SenmlRecord, field: string, node: JsonNode): void {
  switch (field) {
    case "n":
      record.name = jsonText(node, field);
      break;
    case "t":
      record.time = jsonNumber(node, field).float;
      break;
    case "v":
      setOnlyValue(record, node === null ? null : jsonNumber(node, field), field);
      break;
    case "sv":
      setOnlyValue(record, { kind: "text", value: jsonText(node, field) }, field);
      break;
    case "bv":
      setOnlyValue(record, { kind: "boolean", value: jsonTruth(node, field) }, field);
      break;
    case "ov":
      setOnlyValue(record, { kind: "link", value: jsonText(node, field) }, field);
      break;
    default:
  }
}

function writeEntry(record: OutgoingRecord): string {
  const fields = [
    ...(record.name === undefined ? [] : [`"n":${JSON.stringify(record.name)}`]),
    ...(record.time === undefined ? [] : [`"t":${record.time}`]),
    ...(record.value === undefined ? [] : [valueField(record.value)]),
  ];
  return `{${fields.join(",")}}`;
}

function valueField(value: ResourceValue | null): string {
  if (value === null) return `"v":null`;
  switch (value.type) {
    case "string":
    case "corelnk":
      return `"sv":${JSON.stringify(value.value)}`;
    case "integer":
    case "unsigned":
    case "time":
    case "float":
      return `"v":${formatJsonNumber(value)}`;
    case "boolean":
      return `"bv":${value.value}`;
    case "opaque":
      return `"sv":"${encodeBase64(value.value)}"`;
    case "objlnk":
      return `"ov":"${value.value.objectId}:${value.value.instanceId}"`;
  }
}
