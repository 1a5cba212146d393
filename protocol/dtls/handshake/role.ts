/** What is different between client and server, as the conversation sees it. */
import type { WholeMessage } from "./reassembly.ts";
import type { HandshakeStep } from "./transitions.ts";

export interface Role {
  readonly name: "client" | "server";
  /** The table allowed it. Faults are thrown as `HandshakeAbort` or `DtlsFormatError`. */
  receive(step: HandshakeStep, message: WholeMessage): void;
  /** Nothing is received any more, one way or the other: secrets are overwritten. Comes again when the last repeat is over. */
  wipe(): void;
}
