/**
 * SenML as LwM2M uses it (RFC 8428; LwM2M Core 1.1 §7.4.4): records in one normal form, between JSON or CBOR and the nodes of a payload.
 * A name is base name and name together and is a full path; a time is base time and time together.
 */
import { Lwm2mFormatError } from "./format-error.ts";
import { assertRecordCount, nodeOf, reportUnreadable, resourceAt, valuePath } from "./node.ts";
import { formatPath, type Lwm2mPath, pathIds, pathOf } from "./path.ts";
import { type DecodeContext, type EncodeContext, unassignedInstanceId } from "./payload-contract.ts";
import { floatOf, integerOf, type ReadingOptions, readScalar, type Scalar } from "./scalar.ts";
import { resolveName } from "./senml-name.ts";
import type { PathValue, ResourceValue } from "./value.ts";

/** One record before it is resolved: undefined where the field is absent, null for the value null. */
export interface SenmlRecord {
  baseName: string | undefined;
  /** Seconds. */
  baseTime: number | undefined;
  baseValue: Scalar | undefined;
  name: string | undefined;
  /** Seconds. */
  time: number | undefined;
  value: Scalar | null | undefined;
}

/** What of a node is written: value undefined for an empty node, null where there was no value at that time. */
export interface OutgoingRecord {
  readonly baseName: string | undefined;
  /** Seconds. */
  readonly baseTime: number | undefined;
  readonly name: string | undefined;
  /** Seconds. */
  readonly time: number | undefined;
  readonly value: ResourceValue | null | undefined;
}

export function emptyRecord(): SenmlRecord {
  return { baseName: undefined, baseTime: undefined, baseValue: undefined, name: undefined, time: undefined, value: undefined };
}

/** Times below it are relative to now, others absolute (RFC 8428 §4.5.3). */
const leastAbsoluteSeconds = 2 ** 28;
/** The instants that a millisecond count of a calendar can name. */
const greatestMs = 8.64e15;

export function resolveRecords(
  records: readonly SenmlRecord[],
  context: DecodeContext,
  reading: ReadingOptions = context,
): readonly PathValue[] {
  assertRecordCount(records.length, context);
  const nodes: PathValue[] = [];
  let baseName = "";
  let baseTime: number | undefined;
  let baseValue: Scalar | undefined;
  const into = { nodes, context, reading };
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (record === undefined) break;
    baseName = record.baseName ?? baseName;
    baseTime = record.baseTime ?? baseTime;
    baseValue = record.baseValue ?? baseValue;
    if (setsBaseOnly(record, records[index + 1], context)) continue;
    const path = resolveName(baseName, record.name ?? "", context);
    const timeMs = timeOf(baseTime, record.time, context);
    addNode(path, sumOf(record.value, baseValue), timeMs, into);
  }
  return nodes;
}

/** The sum of base time and time as milliseconds since the Unix epoch; undefined where no calendar goes. */
export function findInstant(seconds: number, context: Pick<DecodeContext, "nowMs">): number | undefined {
  const timeMs = Math.round(seconds * 1000) + (seconds < leastAbsoluteSeconds ? context.nowMs : 0);
  return Math.abs(timeMs) <= greatestMs ? timeMs : undefined;
}

/** Records for nodes, the longest common path as base name, the first time as base time. Throws `value` for what SenML cannot say. */
export function toRecords(values: readonly PathValue[], context: EncodeContext): readonly OutgoingRecord[] {
  const root = context.rootPath ?? "";
  const paths = values.map((node) => pathIds(node.path));
  const common = commonLength(paths);
  const allAtBase = paths.every((ids) => ids.length === common);
  const shared = (paths[0] ?? []).slice(0, common);
  const baseName = common === 0 ? `${root}/` : `${root}${formatPath(pathOf(shared))}${allAtBase ? "" : "/"}`;
  const baseTimeMs = values.every((node) => node.timeMs !== undefined) ? values[0]?.timeMs : undefined;
  const baseTime = baseTimeMs === undefined ? undefined : absoluteSeconds(baseTimeMs);
  return values.map((node, index) => {
    if (node.path.instanceId === unassignedInstanceId)
      throw new Lwm2mFormatError("value", "SenML carries no instance without an identifier");
    return {
      baseName: index === 0 ? baseName : undefined,
      baseTime: index === 0 ? baseTime : undefined,
      name: nameBelow(paths[index] ?? [], common),
      time: outgoingTime(node.timeMs, baseTimeMs),
      value: node.value ?? (node.timeMs === undefined ? undefined : null),
    };
  });
}

/** Undefined where the base name says all. */
function nameBelow(ids: readonly number[], common: number): string | undefined {
  if (ids.length === common) return undefined;
  let name = String(ids[common]);
  for (let level = common + 1; level < ids.length; level++) name += `/${ids[level]}`;
  return name;
}

/**
 * A record of base fields alone sets them and stands for nothing (RFC 8428 §4.1), unless nothing follows under its name
 * and that may be empty: then it says that an instance or multi-instance resource is there.
 */
function setsBaseOnly(record: SenmlRecord, next: SenmlRecord | undefined, context: DecodeContext): boolean {
  if (record.name !== undefined || record.value !== undefined) return false;
  const isUsedLater = next !== undefined && next.baseName === undefined;
  if (record.baseName === undefined || record.baseName.endsWith("/") || isUsedLater) return true;
  return !mayBeEmpty(resolveName(record.baseName, "", context), context);
}

function mayBeEmpty(path: Lwm2mPath, context: DecodeContext): boolean {
  if (path.resourceId === undefined) return true;
  return path.resourceInstanceId === undefined && context.typeOf(path.objectId, path.resourceId)?.multiple === true;
}

interface Reading {
  readonly nodes: PathValue[];
  readonly context: DecodeContext;
  readonly reading: ReadingOptions;
}

/** None where the value cannot be read and the caller is told of it. */
function addNode(
  path: Lwm2mPath,
  value: Scalar | null | undefined,
  timeMs: number | undefined,
  { nodes, context, reading }: Reading,
): void {
  if (value === undefined && !mayBeEmpty(path, context)) {
    throw new Lwm2mFormatError("senml", `${formatPath(path)}: record without a value`);
  }
  // null says that there was no value at that time (LwM2M Core 1.2 §7.4.4).
  if (value === undefined || value === null) {
    nodes.push(nodeOf(path, undefined, timeMs));
    return;
  }
  const resource = resourceAt(path, context);
  const at = valuePath(path, context, resource);
  try {
    nodes.push(nodeOf(at, readScalar(value, resource?.type, reading), timeMs));
  } catch (error) {
    reportUnreadable(error, at, context);
  }
}

/** Base time and time are added; neither means that the pack does not say (RFC 8428 §4.1, §4.5.3). */
function timeOf(baseTime: number | undefined, time: number | undefined, context: DecodeContext): number | undefined {
  if (baseTime === undefined && time === undefined) return undefined;
  const seconds = (baseTime ?? 0) + (time ?? 0);
  const timeMs = findInstant(seconds, context);
  if (timeMs === undefined) throw new Lwm2mFormatError("senml", `time ${seconds} s is out of range`);
  return timeMs;
}

/** The base value is added to numbers (RFC 8428 §4.1); two integers stay exact. */
function sumOf(value: Scalar | null | undefined, base: Scalar | undefined): Scalar | null | undefined {
  if (base === undefined || value === null || value === undefined) return value;
  const float = floatOf(value);
  const baseFloat = floatOf(base);
  if (float === undefined || baseFloat === undefined) return value;
  const integer = integerOf(value);
  const baseInteger = integerOf(base);
  if (integer === undefined || baseInteger === undefined) return { kind: "float", value: float + baseFloat };
  return { kind: "number", float: float + baseFloat, integer: integer + baseInteger, plainInteger: isPlain(value) && isPlain(base) };
}

function isPlain(scalar: Scalar): boolean {
  return scalar.kind === "integer" || (scalar.kind === "number" && scalar.plainInteger);
}

function outgoingTime(timeMs: number | undefined, baseTimeMs: number | undefined): number | undefined {
  if (timeMs === undefined || timeMs === baseTimeMs) return undefined;
  return baseTimeMs === undefined ? absoluteSeconds(timeMs) : (timeMs - baseTimeMs) / 1000;
}

function absoluteSeconds(timeMs: number): number {
  const seconds = timeMs / 1000;
  // Below 2^28 the reader would take it as relative to its own now.
  if (seconds < leastAbsoluteSeconds) throw new Lwm2mFormatError("value", `SenML carries no absolute time before 1978-07-04: ${timeMs} ms`);
  return seconds;
}

/** How many identifiers all paths begin with. */
function commonLength(paths: readonly (readonly number[])[]): number {
  const first = paths[0] ?? [];
  let length = first.length;
  for (const ids of paths) {
    let same = 0;
    while (same < length && ids[same] === first[same]) same++;
    length = same;
  }
  return length;
}
