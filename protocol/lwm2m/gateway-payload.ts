/**
 * Payloads that speak of devices behind an LwM2M gateway as well (LwM2M Gateway 1.1 §6): names and keys with a prefix before the object.
 * They are kept apart from the gateway's own values by a map, so that /d01/3/0/9 is never taken for /3/0/9.
 */
import { ContentFormat } from "../coap/content-formats.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { checkedPrefix, splitPrefix } from "./gateway-prefix.ts";
import { decodeGatewayCbor, encodeGatewayCbor } from "./lwm2m-cbor.ts";
import { assertRecordCount } from "./node.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import { type OutgoingRecord, resolveRecords, type SenmlRecord, toRecords } from "./senml.ts";
import { readSenmlCborRecords, writeSenmlCborRecords } from "./senml-cbor.ts";
import { readSenmlJsonRecords, writeSenmlJsonRecords } from "./senml-json.ts";
import type { PathValue } from "./value.ts";

/** Values by gateway prefix, "" for those of the gateway itself. */
export type GatewayValues = ReadonlyMap<string, readonly PathValue[]>;

/** SenML and LwM2M CBOR; throws `Lwm2mFormatError`, `unsupported-format` for others: they name no absolute paths. */
export function decodeGatewayPayload(contentFormat: number, payload: Uint8Array, context: DecodeContext): GatewayValues {
  switch (contentFormat) {
    case ContentFormat.senmlJson:
      return resolveGroups(readSenmlJsonRecords(payload, context), context);
    case ContentFormat.senmlCbor:
      return resolveGroups(readSenmlCborRecords(payload, context), context);
    case ContentFormat.lwm2mCbor:
      return decodeGatewayCbor(payload, context);
    default:
      throw unsupported(contentFormat);
  }
}

export function encodeGatewayPayload(contentFormat: number, groups: GatewayValues, context: EncodeContext): Uint8Array {
  for (const prefix of groups.keys()) if (prefix !== "") checkedPrefix(prefix);
  switch (contentFormat) {
    case ContentFormat.senmlJson:
      return writeSenmlJsonRecords(groupRecords(groups, context));
    case ContentFormat.senmlCbor:
      return writeSenmlCborRecords(groupRecords(groups, context));
    case ContentFormat.lwm2mCbor:
      return encodeGatewayCbor(groups);
    default:
      throw unsupported(contentFormat);
  }
}

/** Base fields hold over all records of the pack, so they are written out in each before the records part (RFC 8428 §4.6). */
function resolveGroups(records: readonly SenmlRecord[], context: DecodeContext): GatewayValues {
  assertRecordCount(records.length, context);
  const groups = new Map<string, SenmlRecord[]>();
  let baseName = "";
  let baseTime: number | undefined;
  let baseValue: SenmlRecord["baseValue"];
  for (const [index, record] of records.entries()) {
    baseName = record.baseName ?? baseName;
    baseTime = record.baseTime ?? baseTime;
    baseValue = record.baseValue ?? baseValue;
    if (setsBaseOnly(record, records[index + 1])) continue;
    const { prefix, rest } = splitPrefix(withoutRoot(baseName + (record.name ?? ""), context.rootPath));
    const group = groups.get(prefix) ?? [];
    groups.set(prefix, group);
    group.push({ ...record, baseName: "", name: rest, baseTime, baseValue });
  }
  return new Map([...groups].map(([prefix, group]) => [prefix, resolveRecords(group, context)]));
}

/** As in `senml.ts`: a name that nothing follows stands for something empty. */
function setsBaseOnly(record: SenmlRecord, next: SenmlRecord | undefined): boolean {
  if (record.name !== undefined || record.value !== undefined) return false;
  const isUsedLater = next !== undefined && next.baseName === undefined;
  return record.baseName === undefined || record.baseName.endsWith("/") || isUsedLater;
}

function withoutRoot(name: string, rootPath: string | undefined): string {
  return rootPath !== undefined && name.startsWith(`${rootPath}/`) ? name.slice(rootPath.length) : name;
}

/** Each group begins with base name and base time of its own. */
function groupRecords(groups: GatewayValues, context: EncodeContext): readonly OutgoingRecord[] {
  const timed = [...groups.values()].some((values) => values.some(({ timeMs }) => timeMs !== undefined));
  return [...groups].flatMap(([prefix, values]) => {
    const rootPath = `${context.rootPath ?? ""}${prefix === "" ? "" : `/${prefix}`}`;
    const records = toRecords(values, { ...context, rootPath });
    // Zero takes back the base time of the group before.
    return records.map((record, index) => (index === 0 && timed ? { ...record, baseTime: record.baseTime ?? 0 } : record));
  });
}

function unsupported(contentFormat: number): Lwm2mFormatError {
  return new Lwm2mFormatError("unsupported-format", `content format ${contentFormat} names no gateway prefix`);
}
