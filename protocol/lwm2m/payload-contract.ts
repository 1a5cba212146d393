/** What every content format offers; `payload.ts` picks the codec by Content-Format number. */
import type { Lwm2mPath } from "./path.ts";
import type { PathValue, ResourceTypeLookup } from "./value.ts";

/** Instance id of a Create that leaves the choice to the client (LwM2M Core 1.2 §7.4.6): the one use of the reserved identifier. */
export const unassignedInstanceId = 65_535;

export interface DecodeContext {
  /**
   * The path that was asked for: text, opaque and TLV carry no absolute path of their own, and what lies outside it is refused.
   * Without it (Send, composite operations) only formats with absolute paths can be decoded.
   */
  readonly path?: Lwm2mPath;
  /** Unknown resources decode to the natural type of the format (TLV: opaque). */
  readonly typeOf: ResourceTypeLookup;
  /** Receive time, milliseconds since the Unix epoch: SenML times below 2^28 are relative to it (RFC 8428 §4.5.3). */
  readonly nowMs: number;
  /** Alternate root of the client, e.g. `"/lwm2m"`: taken off names that carry it (LwM2M Core 1.2.1 §7.4.4). */
  readonly rootPath?: string;
  /** Instance of resources that come without one under an object path: `unassignedInstanceId` in a Create; default 0, a tolerance. */
  readonly bareInstanceId?: number;
  readonly limits?: DecodeLimits;
  /** Told of a value its type cannot read, which is left out: one such value then costs a device no other. Without it, it throws. */
  readonly onUnreadable?: (path: Lwm2mPath, why: string) => void;
  /** Refuses what is otherwise tolerated. */
  readonly strict?: boolean;
  /** Told of every tolerance that was needed, by its code. */
  readonly onTolerance?: (tolerance: PayloadTolerance) => void;
}

export interface DecodeLimits {
  /** Default 10,000. */
  readonly maxRecords: number;
}

export interface EncodeContext {
  /** Required by TLV, whose identifiers are relative to it. */
  readonly path?: Lwm2mPath;
  readonly typeOf: ResourceTypeLookup;
  /** As in `DecodeContext`. */
  readonly rootPath?: string;
}

/** Deviations seen in the field that are read all the same. */
export type PayloadTolerance =
  | "legacy-content-format"
  | "single-value-for-multiple"
  | "float-for-integer"
  | "time-with-fraction"
  | "number-for-boolean"
  | "boolean-word"
  | "objlnk-as-string"
  | "objlnk-hexadecimal"
  | "text-whitespace"
  | "text-trailing-nul"
  | "base64-variant"
  | "tlv-missing-instance"
  | "tlv-bare-resource-instance"
  | "tlv-boolean-length"
  | "senml-text-label"
  | "senml-name-without-slash"
  | "senml-trailing-slash"
  | "json-base-name-without-slash"
  | "cbor-relative-keys";

/** Throws `Lwm2mFormatError`; `unsupported-format` for a number no codec takes. */
export type DecodePayload = (contentFormat: number, payload: Uint8Array, context: DecodeContext) => readonly PathValue[];
/** Throws `Lwm2mFormatError` for values the format cannot carry (two values in text/plain). */
export type EncodePayload = (contentFormat: number, values: readonly PathValue[], context: EncodeContext) => Uint8Array;
