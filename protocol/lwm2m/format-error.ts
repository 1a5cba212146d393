import { ProtocolError } from "../protocol-error.ts";

/** Bytes or text that break an LwM2M format; a request that carries them is answered 4.00 (LwM2M Core 1.1 §6.3). */
export class Lwm2mFormatError extends ProtocolError {
  readonly code: Lwm2mFormatErrorCode;

  constructor(code: Lwm2mFormatErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** `unsupported-format` is answered 4.15 (or 4.06 for Accept), `version` 4.12, all others 4.00. */
export type Lwm2mFormatErrorCode =
  | "path"
  | "tlv"
  | "text"
  | "opaque"
  | "cbor"
  | "senml"
  | "json"
  | "link-format"
  | "value"
  | "limit"
  | "attribute"
  | "query"
  | "version"
  | "arguments"
  | "unsupported-format";
