/** application/senml+cbor, content format 112 (RFC 8428 §6; LwM2M Core 1.1 §7.4.4). */

import { findEpochSeconds } from "../bytes/civil-time.ts";
import { CborReader } from "../cbor/cbor-reader.ts";
import { CborWriter } from "../cbor/cbor-writer.ts";
import { writeCborValue } from "./cbor-value.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { assertRecordCount } from "./node.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import { findPlainPack } from "./plain-senml-cbor.ts";
import { floatOf, type Scalar, scalarOfCbor } from "./scalar.ts";
import { emptyRecord, type OutgoingRecord, resolveRecords, type SenmlRecord, toRecords } from "./senml.ts";
import { requireIgnorable, requireKnownVersion, setOnlyValue } from "./senml-json.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceValue } from "./value.ts";

/** RFC 8428 §6, table 4. Fields that LwM2M ignores (units, sums) are left out. */
const Label = {
  baseVersion: -1,
  baseName: -2,
  baseTime: -3,
  baseValue: -5,
  name: 0,
  value: 2,
  stringValue: 3,
  booleanValue: 4,
  time: 6,
  dataValue: 8,
} as const;
/** Object links have a text label of their own (LwM2M Core 1.1 §7.4.4). */
const linkLabel = "vlo";

/** JSON names and numbers in text where CBOR wants integers: seen from devices (eclipse-leshan/leshan#1654). */
const textLabels: ReadonlyMap<string, number> = new Map([
  ["bver", Label.baseVersion],
  ["bn", Label.baseName],
  ["bt", Label.baseTime],
  ["bv", Label.baseValue],
  ["n", Label.name],
  ["v", Label.value],
  ["vs", Label.stringValue],
  ["vb", Label.booleanValue],
  ["t", Label.time],
  ["vd", Label.dataValue],
  ...Object.values(Label).map((label): [string, number] => [String(label), label]),
]);

/** All labels of RFC 8428 are within these: a bit each says which a record has had. */
const leastLabel = -15;
const greatestLabel = 15;

const cborFailure = (message: string): Lwm2mFormatError => new Lwm2mFormatError("cbor", message);

export function decodeSenmlCbor(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  return findPlainPack(payload, context) ?? decodeAnySenmlCbor(payload, context);
}

/** The whole rule, with what is tolerated and what is thrown. */
export function decodeAnySenmlCbor(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  return resolveRecords(readSenmlCborRecords(payload, context), context);
}

export function encodeSenmlCbor(values: readonly PathValue[], context: EncodeContext): Uint8Array {
  return writeSenmlCborRecords(toRecords(values, context));
}

/** The records of a pack; throws `cbor` or `senml`. */
export function readSenmlCborRecords(payload: Uint8Array, context: DecodeContext): readonly SenmlRecord[] {
  const reader = new CborReader(payload, cborFailure);
  const records: SenmlRecord[] = [];
  const count = reader.enterArray();
  while (reader.hasMore(count, records.length)) {
    records.push(readRecord(reader, context));
    assertRecordCount(records.length, context);
  }
  reader.leave();
  reader.finish();
  return records;
}

export function writeSenmlCborRecords(records: readonly OutgoingRecord[]): Uint8Array {
  const writer = new CborWriter();
  writer.array(records.length);
  for (const record of records) writeRecord(writer, record);
  return writer.toBytes();
}

function readRecord(reader: CborReader, context: DecodeContext): SenmlRecord {
  const record = emptyRecord();
  let seenBits = 0;
  let seenOthers: Set<number | string> | undefined;
  const count = reader.enterMap();
  for (let passed = 0; reader.hasMore(count, passed); passed++) {
    const label = knownLabel(reader.readLabel(), context);
    if (typeof label === "number" && label >= leastLabel && label <= greatestLabel) {
      const bit = 1 << (label - leastLabel);
      if ((seenBits & bit) !== 0) throw appearsTwice(label);
      seenBits |= bit;
    } else {
      seenOthers ??= new Set();
      if (seenOthers.has(label)) throw appearsTwice(label);
      seenOthers.add(label);
    }
    readField(reader, record, label);
  }
  reader.leave();
  return record;
}

function appearsTwice(label: number | string): Lwm2mFormatError {
  return new Lwm2mFormatError("cbor", `label ${label} appears twice in a record`);
}

function knownLabel(label: number | string, context: DecodeContext): number | string {
  if (typeof label === "number" || label === linkLabel) return label;
  const known = textLabels.get(label);
  if (known === undefined) return label;
  tolerate(context, "senml-text-label", "senml");
  return known;
}

function readField(reader: CborReader, record: SenmlRecord, label: number | string): void {
  switch (label) {
    case Label.baseVersion:
      requireKnownVersion(finiteOf(scalarOfCbor(reader.readScalar()), label));
      break;
    case Label.baseName:
      record.baseName = reader.readText();
      break;
    case Label.baseTime:
      record.baseTime = secondsOf(reader, label);
      break;
    case Label.baseValue:
      record.baseValue = baseValueOf(reader, label);
      break;
    case Label.name:
      record.name = reader.readText();
      break;
    case Label.time:
      record.time = secondsOf(reader, label);
      break;
    case Label.value:
      setOnlyValue(record, numberOrNull(reader), "v");
      break;
    case Label.stringValue:
      setOnlyValue(record, { kind: "text", value: reader.readText() }, "vs");
      break;
    case Label.booleanValue:
      setOnlyValue(record, booleanOf(reader), "vb");
      break;
    case Label.dataValue:
      setOnlyValue(record, { kind: "bytes", value: reader.readBytes() }, "vd");
      break;
    case linkLabel:
      setOnlyValue(record, { kind: "link", value: reader.readText() }, label);
      break;
    default:
      if (typeof label === "string") requireIgnorable(label);
      reader.skip();
  }
}

/** The value of label 2 is a number; a tagged date or a null of LwM2M 1.2 are taken as well. */
function numberOrNull(reader: CborReader): Scalar | null {
  const scalar = scalarOfCbor(reader.readScalar());
  if (scalar === null || scalar.kind === "integer" || scalar.kind === "number" || scalar.kind === "float" || scalar.kind === "date")
    return scalar;
  throw new Lwm2mFormatError("senml", `v: expected a number, got ${scalar.kind}`);
}

function baseValueOf(reader: CborReader, label: number): Scalar {
  const scalar = scalarOfCbor(reader.readScalar());
  if (scalar?.kind === "integer" || scalar?.kind === "number") return scalar;
  return { kind: "float", value: finiteOf(scalar, label) };
}

/** Times are numbers; some devices tag them (eclipse-leshan/leshan#1631). */
function secondsOf(reader: CborReader, label: number): number {
  const scalar = scalarOfCbor(reader.readScalar());
  const dated = scalar?.kind === "date" ? findEpochSeconds(scalar.value) : undefined;
  return dated === undefined ? finiteOf(scalar, label) : Number(dated);
}

function finiteOf(scalar: Scalar | null, label: number): number {
  const number = scalar === null ? undefined : floatOf(scalar);
  if (number !== undefined && Number.isFinite(number)) return number;
  throw new Lwm2mFormatError("senml", `label ${label}: expected a finite number, got ${number ?? scalar?.kind ?? "null"}`);
}

function booleanOf(reader: CborReader): Scalar {
  const scalar = scalarOfCbor(reader.readScalar());
  if (scalar?.kind === "boolean") return scalar;
  throw new Lwm2mFormatError("senml", `vb: expected a boolean, got ${scalar?.kind ?? "null"}`);
}

function writeRecord(writer: CborWriter, record: OutgoingRecord): void {
  writer.map(
    one(record.baseName !== undefined) +
      one(record.baseTime !== undefined) +
      one(record.name !== undefined) +
      one(record.time !== undefined) +
      one(record.value !== undefined),
  );
  if (record.baseName !== undefined) {
    writer.integer(Label.baseName);
    writer.text(record.baseName);
  }
  if (record.baseTime !== undefined) {
    writer.integer(Label.baseTime);
    writeSeconds(writer, record.baseTime);
  }
  if (record.name !== undefined) {
    writer.integer(Label.name);
    writer.text(record.name);
  }
  if (record.time !== undefined) {
    writer.integer(Label.time);
    writeSeconds(writer, record.time);
  }
  if (record.value !== undefined) writeValue(writer, record.value);
}

function one(isThere: boolean): number {
  return isThere ? 1 : 0;
}

function writeSeconds(writer: CborWriter, seconds: number): void {
  if (Number.isInteger(seconds)) writer.integer(seconds);
  else writer.float(seconds);
}

function writeValue(writer: CborWriter, value: ResourceValue | null): void {
  if (value === null) {
    writer.integer(Label.value);
    writer.null();
    return;
  }
  if (value.type === "objlnk") writer.text(linkLabel);
  else writer.integer(labelOf(value));
  writeCborValue(writer, value);
}

function labelOf(value: Exclude<ResourceValue, { type: "objlnk" }>): number {
  switch (value.type) {
    case "string":
    case "corelnk":
      return Label.stringValue;
    case "integer":
    case "unsigned":
    case "time":
    case "float":
      return Label.value;
    case "boolean":
      return Label.booleanValue;
    case "opaque":
      return Label.dataValue;
  }
}
