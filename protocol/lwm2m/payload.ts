/** Payloads by Content-Format: which codec, and which format for which client (LwM2M Core 1.1 §7.4). */
import { ContentFormat } from "../coap/content-formats.ts";
import { decodeCborValue, encodeCborValue } from "./cbor-value.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { decodeLwm2mCbor, encodeLwm2mCbor } from "./lwm2m-cbor.ts";
import { decodeLwm2mJson, encodeLwm2mJson } from "./lwm2m-json.ts";
import { assertUnder } from "./node.ts";
import { decodeOpaque, encodeOpaque } from "./opaque.ts";
import {
  type DecodeContext,
  type DecodePayload,
  type EncodeContext,
  type EncodePayload,
  unassignedInstanceId,
} from "./payload-contract.ts";
import { decodeSenmlCbor, encodeSenmlCbor } from "./senml-cbor.ts";
import { decodePatch, encodePatch } from "./senml-etch.ts";
import { decodeSenmlJson, encodeSenmlJson } from "./senml-json.ts";
import { decodeText, encodeText } from "./text.ts";
import { decodeTlv, encodeTlv } from "./tlv.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue } from "./value.ts";

interface Codec {
  readonly decode: (payload: Uint8Array, context: DecodeContext) => readonly PathValue[];
  readonly encode: (values: readonly PathValue[], context: EncodeContext) => Uint8Array;
}

const codecs: ReadonlyMap<number, Codec> = new Map<number, Codec>([
  [ContentFormat.text, { decode: decodeText, encode: encodeText }],
  [ContentFormat.opaque, { decode: decodeOpaque, encode: encodeOpaque }],
  [ContentFormat.cbor, { decode: decodeCborValue, encode: encodeCborValue }],
  [ContentFormat.senmlJson, { decode: decodeSenmlJson, encode: encodeSenmlJson }],
  [ContentFormat.senmlCbor, { decode: decodeSenmlCbor, encode: encodeSenmlCbor }],
  [ContentFormat.tlv, { decode: decodeTlv, encode: encodeTlv }],
  [ContentFormat.lwm2mJson, { decode: decodeLwm2mJson, encode: encodeLwm2mJson }],
  [ContentFormat.lwm2mCbor, { decode: decodeLwm2mCbor, encode: encodeLwm2mCbor }],
  [ContentFormat.senmlEtchJson, patchCodec(ContentFormat.senmlEtchJson)],
  [ContentFormat.senmlEtchCbor, patchCodec(ContentFormat.senmlEtchCbor)],
]);

/** Bodies of Write-Composite since LwM2M 1.2; lists of paths are read by `decodePathList`. */
function patchCodec(format: number): Codec {
  return {
    decode: (payload, context) => decodePatch(format, payload, context),
    encode: (values, context) => encodePatch(format, values, context),
  };
}

/** Numbers from before the IANA registration, still sent by devices: text, TLV, JSON, opaque. */
const legacyFormats: ReadonlyMap<number, number> = new Map([
  [1541, ContentFormat.text],
  [1542, ContentFormat.tlv],
  [1543, ContentFormat.lwm2mJson],
  [1544, ContentFormat.opaque],
]);

/** Content formats of values that can be read and written, without the legacy numbers and without those of patches. */
export const supportedFormats: readonly number[] = [...codecs.keys()].filter(
  (format) => format !== ContentFormat.senmlEtchJson && format !== ContentFormat.senmlEtchCbor,
);

export const decodePayload: DecodePayload = (contentFormat, payload, context) => {
  const registered = legacyFormats.get(contentFormat);
  const codec = codecs.get(registered ?? contentFormat);
  if (codec === undefined) throw unsupported(contentFormat);
  if (registered !== undefined) tolerate(context, "legacy-content-format", "unsupported-format");
  const values = codec.decode(payload, context);
  if (context.path !== undefined) assertUnder(context.path, values);
  return values;
};

export const encodePayload: EncodePayload = (contentFormat, values, context) => {
  const codec = codecs.get(contentFormat);
  if (codec === undefined) throw unsupported(contentFormat);
  return codec.encode(values, context);
};

export interface FormatChoice {
  /** `major.minor` of the client's registration. */
  readonly lwm2mVersion: string;
  /** `ct` of the client's root link; empty when it said nothing. */
  readonly clientFormats: readonly number[];
  /** The body names absolute paths: composite operations. TLV cannot. */
  readonly composite?: boolean;
  /** What will be written, where that limits the choice. */
  readonly values?: readonly PathValue[];
}

/** Best first: SenML carries times, and CBOR is the smaller of the two; LwM2M CBOR where a client offers only that. */
const preferred: readonly number[] = [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mCbor];

/**
 * The format for a request to a client: TLV for LwM2M 1.0; later the best it advertised, and TLV where it advertised none of ours,
 * because every client that reads several values at once reads TLV (LwM2M Core 1.1 §7.4).
 */
export function chooseFormat(choice: FormatChoice): number {
  const advertised = preferred.find((format) => choice.clientFormats.includes(format));
  if (choice.composite === true) return advertised ?? ContentFormat.senmlCbor;
  const unassigned = choice.values?.some((node) => node.path.instanceId === unassignedInstanceId) ?? false;
  if (choice.lwm2mVersion === "1.0" || unassigned) return ContentFormat.tlv;
  return advertised ?? ContentFormat.tlv;
}

function unsupported(contentFormat: number): Lwm2mFormatError {
  return new Lwm2mFormatError("unsupported-format", `content format ${contentFormat} is not supported`);
}
