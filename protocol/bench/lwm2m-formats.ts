/**
 * Every LwM2M format both ways: the Device object of the specification's examples and packs of measurements, as typed values. Where cbor-x
 * or `JSON` can do part of the work, beside them: they leave the values untyped, the paths as text and the bytes unbounded.
 */
import { Encoder } from "cbor-x";
import { ContentFormat } from "../coap/content-formats.ts";
import type { Lwm2mPath } from "../lwm2m/path.ts";
import { decodePayload, encodePayload } from "../lwm2m/payload.ts";
import { payloadVectors, typeOf } from "../lwm2m/payload-vectors.ts";
import type { PathValue } from "../lwm2m/value.ts";
import type { Figure } from "./figure.ts";
import { nanosecondsOf, rounded } from "./figure.ts";
import { measurementPack, measurementTypes, nowMs } from "./measurement-pack.ts";

interface Subject {
  readonly name: string;
  readonly path?: Lwm2mPath;
  readonly values: readonly PathValue[];
  readonly formats: readonly number[];
}

const names: ReadonlyMap<number, string> = new Map([
  [ContentFormat.tlv, "TLV"],
  [ContentFormat.senmlJson, "SenML JSON"],
  [ContentFormat.senmlCbor, "SenML CBOR"],
  [ContentFormat.lwm2mCbor, "LwM2M CBOR"],
  [ContentFormat.lwm2mJson, "JSON 11543"],
]);
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false });
const decoder = new TextDecoder();

/** Reads and writes as the comparison does it; undefined where nothing compares. */
interface Yardstick {
  readonly against: "cbor-x" | null;
  read(bytes: Uint8Array): unknown;
  write(document: unknown): unknown;
}

export function formatFigures(seconds: number): Figure[] {
  const subjects = [deviceObject(), tenRecords(), hundredRecords()];
  const measures = subjects.flatMap((subject) => subject.formats.map((format) => ({ subject, format })));
  return measures.flatMap(({ subject, format }) => figuresOf(subject, format, seconds / (measures.length * 4)));
}

function deviceObject(): Subject {
  const vector = payloadVectors.find(({ format, path }) => format === ContentFormat.tlv && path === "/3/0");
  if (vector === undefined) throw new Error("the TLV vector of /3/0 is gone");
  return { name: "/3/0", path: { objectId: 3, instanceId: 0 }, values: vector.values, formats: [...names.keys()] };
}

function tenRecords(): Subject {
  return { name: "10 records", values: measurements(10), formats: [ContentFormat.senmlCbor] };
}

/** TLV and LwM2M CBOR carry one value a resource: not the history of one. */
function hundredRecords(): Subject {
  const timed = [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mJson];
  return { name: "100 records", path: { objectId: 3303 }, values: measurements(100), formats: timed };
}

function measurements(records: number): readonly PathValue[] {
  return decodePayload(ContentFormat.senmlCbor, measurementPack(records), { typeOf: measurementTypes, nowMs });
}

function figuresOf(subject: Subject, format: number, seconds: number): Figure[] {
  const context = { typeOf: lookup, nowMs, ...(subject.path === undefined ? {} : { path: subject.path }) };
  const bytes = Buffer.from(encodePayload(format, subject.values, context));
  const what = `${names.get(format)} ${subject.name}, ${bytes.length} B`;
  const decodeNs = nanosecondsOf(seconds, () => decodePayload(format, bytes, context));
  const encodeNs = nanosecondsOf(seconds, () => encodePayload(format, subject.values, context));
  const yardstick = yardstickOf(format);
  const document = yardstick?.read(bytes);
  const readNs = yardstick && nanosecondsOf(seconds, () => yardstick.read(bytes));
  const writeNs = yardstick && nanosecondsOf(seconds, () => yardstick.write(document));
  const against = yardstick?.against ?? null;
  return [
    {
      bench: "codec",
      figure: `decode ${what}${beside(yardstick)}`,
      value: rounded(decodeNs),
      unit: "ns",
      against,
      ratio: ratioOf(readNs, decodeNs),
    },
    {
      bench: "codec",
      figure: `encode ${what}${beside(yardstick)}`,
      value: rounded(encodeNs),
      unit: "ns",
      against,
      ratio: ratioOf(writeNs, encodeNs),
    },
  ];
}

function lookup(objectId: number, resourceId: number): ReturnType<typeof typeOf> {
  return objectId === 3303 ? measurementTypes(objectId, resourceId) : typeOf(objectId, resourceId);
}

/** `JSON` is no package of the list that `against` takes, so the figure names it. */
function beside(yardstick: Yardstick | undefined): string {
  return yardstick?.against === null ? " (ratio to JSON)" : "";
}

function ratioOf(theirsNs: number | undefined, oursNs: number): number | null {
  return theirsNs === undefined ? null : rounded(theirsNs / oursNs);
}

function yardstickOf(format: number): Yardstick | undefined {
  switch (format) {
    case ContentFormat.senmlCbor:
    case ContentFormat.lwm2mCbor:
      return { against: "cbor-x", read: (bytes) => cbor.decode(bytes), write: (document) => cbor.encode(document) };
    case ContentFormat.senmlJson:
    case ContentFormat.lwm2mJson:
      return {
        against: null,
        read: (bytes): unknown => JSON.parse(decoder.decode(bytes)),
        write: (document) => Buffer.from(JSON.stringify(document)),
      };
    default:
      return undefined;
  }
}
