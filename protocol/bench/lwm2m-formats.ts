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
  [ContentFormat.senmlEtchCbor, "SenML-ETCH CBOR"],
  [ContentFormat.senmlEtchJson, "SenML-ETCH JSON"],
  [ContentFormat.text, "text"],
  [ContentFormat.cbor, "CBOR 60"],
  [ContentFormat.opaque, "opaque"],
]);
/** Of one value only. */
const plain: readonly number[] = [ContentFormat.text, ContentFormat.cbor, ContentFormat.opaque];
const warmUpShare = 0.3;
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false });
const decoder = new TextDecoder();

/** Reads and writes as the comparison does it; undefined where nothing compares. */
interface Yardstick {
  readonly against: "cbor-x" | null;
  read(bytes: Uint8Array): unknown;
  write(document: unknown): unknown;
}

export function formatFigures(seconds: number): Figure[] {
  const subjects = [deviceObject(), oneValue(), oneBlob(), tenRecords(), hundredRecords(), hundredInstances()];
  const measures = subjects.flatMap((subject) => subject.formats.map((format) => ({ subject, format })));
  // Every format first meets compilers that have seen all of them, as in a server.
  for (const { subject, format } of measures) figuresOf(subject, format, (seconds * warmUpShare) / (measures.length * 2));
  return measures.flatMap(({ subject, format }) => figuresOf(subject, format, (seconds * (1 - warmUpShare)) / (measures.length * 2)));
}

function deviceObject(): Subject {
  const vector = payloadVectors.find(({ format, path }) => format === ContentFormat.tlv && path === "/3/0");
  if (vector === undefined) throw new Error("the TLV vector of /3/0 is gone");
  return {
    name: "/3/0",
    path: { objectId: 3, instanceId: 0 },
    values: vector.values,
    formats: [...names.keys()].filter((format) => !plain.includes(format)),
  };
}

function oneValue(): Subject {
  const path = { objectId: 3, instanceId: 0, resourceId: 9 };
  return {
    name: "/3/0/9",
    path,
    values: [{ path, value: { type: "integer", value: 100n } }],
    formats: [ContentFormat.text, ContentFormat.cbor],
  };
}

function oneBlob(): Subject {
  const path = { objectId: 5, instanceId: 0, resourceId: 0 };
  return {
    name: "/5/0/0",
    path,
    values: [{ path, value: { type: "opaque", value: new Uint8Array(64) } }],
    formats: [ContentFormat.opaque],
  };
}

function tenRecords(): Subject {
  return { name: "10 records", values: measurements(10), formats: [ContentFormat.senmlCbor] };
}

/** A hundred records in time. */
function hundredRecords(): Subject {
  const timed = [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mJson];
  return { name: "100 records", path: { objectId: 3303 }, values: measurements(100), formats: timed };
}

/** TLV and LwM2M CBOR carry one value a resource, not the history of one: a hundred instances instead. */
function hundredInstances(): Subject {
  const values = Array.from({ length: 100 }, (_, instanceId): PathValue => {
    return { path: { objectId: 3303, instanceId, resourceId: 5700 }, value: { type: "float", value: 21.1 + instanceId / 10 } };
  });
  return { name: "100 instances", path: { objectId: 3303 }, values, formats: [ContentFormat.tlv, ContentFormat.lwm2mCbor] };
}

function measurements(records: number): readonly PathValue[] {
  return decodePayload(ContentFormat.senmlCbor, measurementPack(records), { typeOf: measurementTypes, nowMs });
}

function figuresOf(subject: Subject, format: number, seconds: number): Figure[] {
  const context = { typeOf: lookup, nowMs, ...(subject.path === undefined ? {} : { path: subject.path }) };
  const bytes = Buffer.from(encodePayload(format, subject.values, context));
  const what = `${names.get(format)} ${subject.name}, ${bytes.length} B`;
  const yardstick = yardstickOf(format);
  const document = yardstick?.read(bytes);
  const readers = yardstick === undefined ? [] : [() => yardstick.read(bytes)];
  const writers = yardstick === undefined ? [] : [() => yardstick.write(document)];
  const decoding = nanosecondsOf(seconds, [() => decodePayload(format, bytes, context), ...readers]);
  const encoding = nanosecondsOf(seconds, [() => encodePayload(format, subject.values, context), ...writers]);
  return [figureOf(`decode ${what}`, yardstick, decoding), figureOf(`encode ${what}`, yardstick, encoding)];
}

/** `JSON` is no package of the list that `against` takes, so the figure names it. */
function figureOf(figure: string, yardstick: Yardstick | undefined, [oursNs = Number.NaN, theirsNs]: readonly number[]): Figure {
  return {
    bench: "codec",
    figure: yardstick?.against === null ? `${figure} (ratio to JSON)` : figure,
    value: rounded(oursNs),
    unit: "ns",
    against: yardstick?.against ?? null,
    ratio: theirsNs === undefined ? null : rounded(theirsNs / oursNs),
  };
}

function lookup(objectId: number, resourceId: number): ReturnType<typeof typeOf> {
  return objectId === 3303 ? measurementTypes(objectId, resourceId) : typeOf(objectId, resourceId);
}

function yardstickOf(format: number): Yardstick | undefined {
  switch (format) {
    case ContentFormat.senmlCbor:
    case ContentFormat.lwm2mCbor:
    case ContentFormat.senmlEtchCbor:
    case ContentFormat.cbor:
      return { against: "cbor-x", read: (bytes) => cbor.decode(bytes), write: (document) => cbor.encode(document) };
    case ContentFormat.senmlJson:
    case ContentFormat.lwm2mJson:
    case ContentFormat.senmlEtchJson:
      return {
        against: null,
        read: (bytes): unknown => JSON.parse(decoder.decode(bytes)),
        write: (document) => Buffer.from(JSON.stringify(document)),
      };
    default:
      return undefined;
  }
}
