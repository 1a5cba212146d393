/** Why a handshake ends early, and what the peer is told: thrown by the roles, caught once by the conversation. */
import { ProtocolError } from "../../protocol-error.ts";
import { AlertDescription } from "../constants.ts";
import type { HandshakeFailure } from "../handshake-contract.ts";

export class HandshakeAbort extends ProtocolError {
  readonly code: HandshakeFailure;
  /** Undefined says nothing to the peer. */
  readonly alert: AlertDescription | undefined;

  constructor(code: HandshakeFailure, alert: AlertDescription | undefined, message: string) {
    super(message);
    this.code = code;
    this.alert = alert;
  }
}

export function illegalParameter(message: string): HandshakeAbort {
  return new HandshakeAbort("bad-message", AlertDescription.illegalParameter, message);
}

export function noCommonParameters(message: string): HandshakeAbort {
  return new HandshakeAbort("no-common-parameters", AlertDescription.handshakeFailure, message);
}
