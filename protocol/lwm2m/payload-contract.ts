/** What every content format offers; `payload.ts` picks the codec by Content-Format number. */
import type { Lwm2mPath } from "./path.ts";
import type { PathValue, ResourceTypeLookup } from "./value.ts";

export interface DecodeContext {
  /** The path that was asked for: text, opaque and TLV carry no absolute path of their own. */
  readonly path: Lwm2mPath;
  /** Unknown resources decode to the natural type of the format (TLV: opaque). */
  readonly typeOf: ResourceTypeLookup;
  /** Receive time, milliseconds since the Unix epoch: SenML times below 2^28 are relative to it (RFC 8428 §4.5.3). */
  readonly nowMs: number;
  readonly limits?: DecodeLimits;
}

export interface DecodeLimits {
  /** Default 10,000. */
  readonly maxRecords: number;
}

export interface EncodeContext {
  readonly path: Lwm2mPath;
  readonly typeOf: ResourceTypeLookup;
}

/** Throws `Lwm2mFormatError`; `unsupported-format` for a number no codec takes. */
export type DecodePayload = (contentFormat: number, payload: Uint8Array, context: DecodeContext) => readonly PathValue[];
/** Throws `Lwm2mFormatError` for values the format cannot carry (two values in text/plain). */
export type EncodePayload = (contentFormat: number, values: readonly PathValue[], context: EncodeContext) => Uint8Array;
