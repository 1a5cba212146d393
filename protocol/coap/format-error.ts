/** A datagram that is no CoAP message, and what its sender is told (RFC 7252 §3, §4.2, §4.3). */
import { ProtocolError } from "../protocol-error.ts";

export type CoapFault =
  | "too-short"
  | "version"
  | "token-length"
  | "truncated-token"
  | "code"
  | "empty-with-content"
  | "type"
  | "option-header"
  | "truncated-option"
  | "option-number"
  | "too-many-options"
  | "empty-payload"
  | "block";

/** `reset`: a confirmable message is rejected with RST (§4.2); `silence`: anything else is dropped (§4.2, §4.3, §3 for the version). */
export type FaultAnswer = "reset" | "silence";

export class CoapFormatError extends ProtocolError {
  readonly code: CoapFault;
  readonly answer: FaultAnswer;

  constructor(code: CoapFault, answer: FaultAnswer, message: string) {
    super(message);
    this.code = code;
    this.answer = answer;
  }
}
