/** The values a device answers or notifies (LwM2M Core 1.1 §7.4), also where the answer does not say in which format they are. Pure. */
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { contains, formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { DecodeContext, PayloadTolerance } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { DeviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";

export interface AnswerContext {
  readonly model: DeviceModel;
  readonly nowMs: number;
  /** Refuses what is otherwise tolerated. */
  readonly strict: boolean;
}

export interface AnswerValues {
  readonly values: readonly PathValue[];
  /** A sentence on what had to be left out because its type cannot read it; null: nothing. */
  readonly leftOut: string | null;
  /** The same by path. */
  readonly faults: readonly AnswerFault[];
  /** What had to be tolerated to read it, by code. */
  readonly tolerances: readonly string[];
}

export interface AnswerFault {
  readonly path: Lwm2mPath;
  readonly sentence: string;
}

/** Deviations of an answer as a whole, beside those of its payload (`PayloadTolerance`). */
export type AnswerTolerance = "missing-content-format" | "unreadable-value" | "unasked-path";

export interface AskedPaths {
  readonly paths: readonly CompositePath[];
  /** By FETCH: the answer says of each value where it belongs. */
  readonly composite: boolean;
}

/** `accept`: the format that was asked for. Throws `Lwm2mFormatError`, also when nothing of the answer can be read. */
export function valuesIn(
  response: Pick<IncomingResponse, "payload" | "contentFormat">,
  { paths, composite }: AskedPaths,
  { rootPath }: Pick<Registration, "rootPath">,
  { model, nowMs, strict }: AnswerContext,
  accept: number | undefined,
): AnswerValues {
  const unreadable: AnswerFault[] = [];
  const tolerances = new Set<PayloadTolerance | AnswerTolerance>();
  const [path] = paths;
  const single = !composite && path !== undefined && path !== "/" ? { path } : {};
  const root = rootPath === "" ? {} : { rootPath: `/${rootPath}` };
  // One broken resource must not hide the others of its instance.
  const onUnreadable = (at: Lwm2mPath, why: string): void => {
    unreadable.push({ path: at, sentence: `${formatPath(at)}: ${why}` });
    tolerances.add("unreadable-value");
  };
  const lenient = { onUnreadable, onTolerance: (code: PayloadTolerance) => tolerances.add(code) };
  const context: DecodeContext = { ...single, typeOf: model.typeOf, nowMs, ...root, ...(strict ? { strict } : lenient) };
  if (response.contentFormat === undefined) {
    if (strict && response.payload.length > 0)
      throw new Lwm2mFormatError("unsupported-format", "not accepted in strict mode: missing-content-format");
    if (response.payload.length > 0) tolerances.add("missing-content-format");
  }
  const decoded =
    response.contentFormat === undefined
      ? guessedValues(response.payload, context, accept)
      : decodePayload(response.contentFormat, response.payload, context);
  const values = decoded.filter((node) => isAsked(node.path, paths));
  if (values.length < decoded.length) {
    const foreign = decoded.filter((node) => !isAsked(node.path, paths)).map(unasked);
    if (strict) throw new Lwm2mFormatError("path", `not accepted in strict mode: unasked-path (${foreign[0]?.sentence})`);
    unreadable.push(...foreign);
    tolerances.add("unasked-path");
  }
  const leftOut = leftOutSentence(unreadable);
  if (values.length === 0 && leftOut !== null) throw new Lwm2mFormatError("value", faultSentence(unreadable));
  return { values, leftOut, faults: unreadable, tolerances: [...tolerances] };
}

/** Null: nothing was left out. */
export function leftOutSentence(faults: readonly AnswerFault[]): string | null {
  return faults.length === 0 ? null : `left out: ${faultSentence(faults)}`;
}

function faultSentence(faults: readonly AnswerFault[]): string {
  return faults
    .slice(0, toldFaults)
    .map(({ sentence }) => sentence)
    .join("; ");
}

function unasked({ path }: PathValue): AnswerFault {
  return { path, sentence: `${formatPath(path)}: was not asked for` };
}

function isAsked(path: Lwm2mPath, paths: readonly CompositePath[]): boolean {
  return paths.some((asked) => asked === "/" || contains(asked, path));
}

/** Faults told of one answer: a device with more has all of them from one cause. */
const toldFaults = 5;

/**
 * RFC 7252 §5.5.1 leaves it to the recipient to find out: what was asked for comes first, then what devices send most, then the
 * bare value. Guesses are read strictly, so that text is not taken for a TLV that it happens to spell.
 */
function guessedValues(payload: Uint8Array, context: DecodeContext, accept: number | undefined): readonly PathValue[] {
  const bare = bareFormat(context);
  // An empty body is an empty instance in any format, and an empty value where a value can be empty.
  if (payload.length === 0) return (bare === undefined ? undefined : findValues(bare, payload, context)) ?? [];
  const { onUnreadable: _, onTolerance: __, ...strict } = { ...context, strict: true };
  const guesses = new Set([...(accept === undefined ? [] : [accept]), ...likelyFormats]);
  for (const format of guesses) {
    const values = findValues(format, payload, strict);
    if (values !== undefined) return values;
  }
  if (bare !== undefined) return decodePayload(bare, payload, context);
  throw new Lwm2mFormatError("unsupported-format", "the answer has a payload without a Content-Format, and fits none that is likely");
}

const likelyFormats: readonly number[] = [ContentFormat.tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor];

/** In which format a value stands alone; undefined where the path is no single value. */
function bareFormat({ path, typeOf }: DecodeContext): number | undefined {
  if (path?.resourceId === undefined) return undefined;
  const resource = typeOf(path.objectId, path.resourceId);
  if (resource?.multiple === true && path.resourceInstanceId === undefined) return undefined;
  return resource?.type === "opaque" ? ContentFormat.opaque : ContentFormat.text;
}

function findValues(format: number, payload: Uint8Array, context: DecodeContext): readonly PathValue[] | undefined {
  try {
    return decodePayload(format, payload, context);
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}
