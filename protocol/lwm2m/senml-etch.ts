/**
 * SenML in FETCH and iPATCH bodies (RFC 8790; LwM2M Core 1.2 §7.4.5): lists of paths to read or observe, and patches, in which null removes.
 * LwM2M 1.1 sends both as plain SenML packs, 1.2 as SenML-ETCH; the records are the same.
 */
import { ContentFormat } from "../coap/content-formats.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatPath, type Lwm2mPath } from "./path.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import { type OutgoingRecord, resolveRecords, type SenmlRecord, toRecords } from "./senml.ts";
import { readSenmlCborRecords, writeSenmlCborRecords } from "./senml-cbor.ts";
import { readSenmlJsonRecords, writeSenmlJsonRecords } from "./senml-json.ts";
import { resolveName } from "./senml-name.ts";
import type { PathValue } from "./value.ts";

/** Read-Composite and Observe-Composite may ask for the whole tree. */
export type CompositePath = Lwm2mPath | "/";

export function compositeText(path: CompositePath): string {
  return path === "/" ? path : formatPath(path);
}

/** Content formats of path lists; the ETCH ones since LwM2M 1.2. */
export const pathListFormats: readonly number[] = [
  ContentFormat.senmlCbor,
  ContentFormat.senmlJson,
  ContentFormat.senmlEtchCbor,
  ContentFormat.senmlEtchJson,
];

/** Throws `senml` for a record that carries a value, `unsupported-format` for other formats. */
export function decodePathList(contentFormat: number, payload: Uint8Array, context: DecodeContext): readonly CompositePath[] {
  const paths: CompositePath[] = [];
  let baseName = "";
  for (const record of readRecords(contentFormat, payload, context)) {
    baseName = record.baseName ?? baseName;
    if (record.value !== undefined) throw new Lwm2mFormatError("senml", "a record of a path list has no value (RFC 8790 §3.1)");
    const name = baseName + (record.name ?? "");
    paths.push(isRoot(name, context) ? "/" : resolveName(baseName, record.name ?? "", context));
  }
  return paths;
}

export function encodePathList(
  contentFormat: number,
  paths: readonly CompositePath[],
  context: Pick<EncodeContext, "rootPath"> = {},
): Uint8Array {
  const root = context.rootPath ?? "";
  const records = paths.map(
    (path): OutgoingRecord => ({
      baseName: undefined,
      baseTime: undefined,
      name: path === "/" ? root || "/" : `${root}${formatPath(path)}`,
      time: undefined,
      value: undefined,
    }),
  );
  return writeRecords(contentFormat, records);
}

/** An iPATCH body: every record has a value; a node without one is to be removed. */
export function decodePatch(contentFormat: number, payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const records = readRecords(contentFormat, payload, context);
  // A record of base fields alone is no change.
  if (records.some((record) => record.name !== undefined && record.value === undefined)) {
    throw new Lwm2mFormatError("senml", "a record of a patch has a value or null (RFC 8790 §3.2)");
  }
  return resolveRecords(records, context);
}

export function encodePatch(contentFormat: number, values: readonly PathValue[], context: EncodeContext): Uint8Array {
  return writeRecords(
    contentFormat,
    toRecords(values, context).map((record) => ({ ...record, value: record.value ?? null })),
  );
}

function isRoot(name: string, context: DecodeContext): boolean {
  return name === "/" || name === "" || (context.rootPath !== undefined && (name === context.rootPath || name === `${context.rootPath}/`));
}

function readRecords(contentFormat: number, payload: Uint8Array, context: DecodeContext): readonly SenmlRecord[] {
  switch (contentFormat) {
    case ContentFormat.senmlJson:
    case ContentFormat.senmlEtchJson:
      return readSenmlJsonRecords(payload, context);
    case ContentFormat.senmlCbor:
    case ContentFormat.senmlEtchCbor:
      return readSenmlCborRecords(payload, context);
    default:
      throw unsupported(contentFormat);
  }
}

function writeRecords(contentFormat: number, records: readonly OutgoingRecord[]): Uint8Array {
  switch (contentFormat) {
    case ContentFormat.senmlJson:
    case ContentFormat.senmlEtchJson:
      return writeSenmlJsonRecords(records);
    case ContentFormat.senmlCbor:
    case ContentFormat.senmlEtchCbor:
      return writeSenmlCborRecords(records);
    default:
      throw unsupported(contentFormat);
  }
}

function unsupported(contentFormat: number): Lwm2mFormatError {
  return new Lwm2mFormatError("unsupported-format", `content format ${contentFormat} carries no records`);
}
