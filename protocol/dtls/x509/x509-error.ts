import { ProtocolError } from "../../protocol-error.ts";

/** A certificate, a name or a key that is no valid DER of its kind. */
export class X509Error extends ProtocolError {
  readonly code: "malformed" | "too-large" | "unsupported";

  constructor(code: "malformed" | "too-large" | "unsupported", message: string) {
    super(message);
    this.code = code;
  }
}
