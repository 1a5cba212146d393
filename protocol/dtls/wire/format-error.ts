/** Bytes of a peer that are no DTLS 1.2, and the alert they earn inside a handshake (RFC 5246 §7.2.2). Outside of one they are dropped. */

import { ProtocolError } from "../../protocol-error.ts";
import { AlertDescription } from "../constants.ts";

export type DtlsFault =
  | "truncated"
  | "trailing-bytes"
  | "length"
  | "duplicate-extension"
  /** Well-formed, but a value its field may not have. */
  | "value"
  /** A Diffie-Hellman share that is no point of its group, or gives a secret everybody knows. */
  | "public-key";

export type FormatAlert = typeof AlertDescription.decodeError | typeof AlertDescription.illegalParameter;

export class DtlsFormatError extends ProtocolError {
  readonly code: DtlsFault;
  readonly alert: FormatAlert;

  constructor(code: DtlsFault, message: string) {
    super(message);
    this.code = code;
    this.alert = code === "value" || code === "public-key" ? AlertDescription.illegalParameter : AlertDescription.decodeError;
  }
}
