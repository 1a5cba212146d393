import { ProtocolError } from "@lwm2m/protocol/protocol-error";

/** A definition file that is not what the OMA schemas ask for; the message says which object, which resource, what was got. */
export class DdfFormatError extends ProtocolError {
  readonly code: DdfFormatErrorCode;

  constructor(code: DdfFormatErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** `limit`: larger than this parser reads; `xml`: not well-formed, or with a DOCTYPE; `definition`: well-formed, but no object definition. */
export type DdfFormatErrorCode = "limit" | "xml" | "definition";
