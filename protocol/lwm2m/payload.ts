/** Payloads by Content-Format: which codec (LwM2M Core 1.1 §7.4). Which format for which client: `format-choice.ts`. */
import { ContentFormat } from "../coap/content-formats.ts";
import { decodeCborValue, encodeCborValue } from "./cbor-value.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { decodeLwm2mCbor, encodeLwm2mCbor } from "./lwm2m-cbor.ts";
import { decodeLwm2mJson, encodeLwm2mJson } from "./lwm2m-json.ts";
import { assertUnder } from "./node.ts";
import { decodeOpaque, encodeOpaque } from "./opaque.ts";
import type { DecodeContext, DecodePayload, EncodeContext, EncodePayload } from "./payload-contract.ts";
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

function unsupported(contentFormat: number): Lwm2mFormatError {
  return new Lwm2mFormatError("unsupported-format", `content format ${contentFormat} is not supported`);
}
