/**
 * The seam between the handshake machines (pure: an input in, effects out) and the endpoint that owns sockets, timers,
 * sequence numbers and keys. A machine never sees a record header, an address or a promise.
 */
import type { SecureIdentity } from "../ports/datagram-socket.ts";
import type { Presented, ResumableSession, ServerRealm, Verdict } from "./credentials-contract.ts";

export type HandshakeInput =
  /** The fragment of a handshake, ChangeCipherSpec or alert record, already opened when its epoch is 1. */
  | { readonly kind: "record"; readonly type: number; readonly epoch: 0 | 1; readonly fragment: Uint8Array }
  /** Application data arrived in epoch 1: the other side has seen our last flight. */
  | { readonly kind: "application-data" }
  /** The timer a `timer` effect asked for. */
  | { readonly kind: "timeout" }
  /** What an `ask` effect was answered; `ask` is its number. */
  | { readonly kind: "answer"; readonly ask: number; readonly answer: Answer };

export type Question =
  | { readonly kind: "psk"; readonly realm: ServerRealm; readonly identity: Uint8Array }
  /** `realm` is the server's; undefined asks `verifyServer` of the client's own credentials. */
  | { readonly kind: "verify"; readonly realm: ServerRealm | undefined; readonly presented: Presented }
  | { readonly kind: "still-welcome"; readonly realm: ServerRealm; readonly identity: SecureIdentity };

export type Answer =
  | { readonly kind: "psk"; readonly key: Uint8Array | undefined }
  | { readonly kind: "verify"; readonly verdict: Verdict }
  | { readonly kind: "still-welcome"; readonly welcome: boolean }
  /** The look-up itself failed (store away): the handshake ends with internal_error. */
  | { readonly kind: "failed"; readonly reason: string };

/** A record to protect and send; the endpoint adds header, sequence number and protection and packs several into a datagram. */
export interface OutgoingRecord {
  readonly type: number;
  readonly epoch: 0 | 1;
  readonly fragment: Uint8Array;
}

export type HandshakeEffect =
  /** One flight, or its repetition; `small`: larger datagrams were lost, one of its small records each may pass (RFC 6347 §4.1.1.1). */
  | { readonly kind: "send"; readonly records: readonly OutgoingRecord[]; readonly small: boolean }
  /** Epoch 1 can be opened and sealed from now on. */
  | { readonly kind: "keys"; readonly keys: ConnectionKeys }
  /** Replaces the running timer; undefined stops it. */
  | { readonly kind: "timer"; readonly delayMs: number | undefined }
  /** The last effect of its step, so that an answer that is there at once may be given at once. */
  | { readonly kind: "ask"; readonly ask: number; readonly question: Question }
  /** Both sides have proved the handshake; the machine stays to repeat its last flight until it says `done`. */
  | { readonly kind: "connected"; readonly facts: ConnectionFacts }
  /** The machine may be dropped. */
  | { readonly kind: "done" }
  /** The handshake is over without a connection; `alert` was already part of a `send` when one is due. */
  | { readonly kind: "failed"; readonly failure: HandshakeFailure; readonly reason: string };

/** Why a handshake ended: the label of a counter, so the set is closed. */
export type HandshakeFailure =
  | "timeout"
  | "alert-received"
  | "bad-message"
  | "unexpected-message"
  | "no-common-parameters"
  | "unknown-name"
  | "psk-mismatch"
  | "bad-signature"
  | "certificate-refused"
  | "no-certificate"
  | "too-large"
  | "lookup-failed"
  | "cancelled";

/** Everything epoch 1 needs (RFC 5246 §6.3); "client" and "server" are roles in this handshake. */
export interface ConnectionKeys {
  readonly cipherSuite: number;
  readonly encryptThenMac: boolean;
  /** Empty for AEAD suites. */
  readonly clientMacKey: Uint8Array;
  readonly serverMacKey: Uint8Array;
  readonly clientKey: Uint8Array;
  readonly serverKey: Uint8Array;
  /** The implicit part of the nonce: 4 bytes for CCM and GCM, empty for CBC. */
  readonly clientIv: Uint8Array;
  readonly serverIv: Uint8Array;
  /** Which bytes the record layer writes and expects (RFC 9146 §3); undefined when no connection id was negotiated. */
  readonly connectionIds: NegotiatedIds | undefined;
  /** Most plaintext bytes per record, from max_fragment_length or record_size_limit; 16,384 otherwise. */
  readonly largestSendBytes: number;
  readonly largestReceiveBytes: number;
}

export interface NegotiatedIds {
  /** What our records to the peer carry; may be empty. */
  readonly peer: Uint8Array;
  /** What the peer's records to us carry; may be empty. */
  readonly own: Uint8Array;
  /** The drafts -05 to -07 computed the MAC differently. */
  readonly draft: boolean;
}

export interface ConnectionFacts {
  readonly role: "client" | "server";
  readonly cipherSuite: number;
  readonly extendedMasterSecret: boolean;
  readonly resumed: boolean;
  readonly serverName: string | undefined;
  /** What the peer proved; undefined for a client that stayed anonymous. */
  readonly peerIdentity: SecureIdentity | undefined;
  readonly session: ResumableSession | undefined;
}

export interface HandshakeMachine {
  /** Once, before any `step`: the first flight, for a server the answer to the hello it was built with. */
  start(nowMs: number): readonly HandshakeEffect[];
  /** Effects in order. Never throws for anything a peer can send. */
  step(input: HandshakeInput, nowMs: number): readonly HandshakeEffect[];
  /** Bytes it holds for reassembly and flights, for the bound over all handshakes. */
  readonly heldBytes: number;
  /** Overwrites the secrets it holds. After `done` and `failed` it has done so itself. */
  close(): void;
}

/** Timers of the flights (RFC 6347 §4.2.4) and the bounds of one handshake; per listener, or per client. */
export interface HandshakeSettings {
  /** First retransmission, milliseconds: 1,000 by RFC 6347, 9,000 by RFC 7925 §11 for constrained networks. */
  readonly initialTimeoutMs: number;
  readonly largestTimeoutMs: number;
  readonly mostRetransmissions: number;
  /** From the first message to the end. */
  readonly deadlineMs: number;
  /** How long a last flight may be repeated: 2 × MSL. */
  readonly lingerMs: number;
  /** Largest record payload of a flight that fits the path, bytes; smaller after two losses. */
  readonly mtuBytes: number;
  readonly smallMtuBytes: number;
  readonly largestMessageBytes: number;
  /** Messages ahead of the next one that are kept (RFC 6347 §4.2.2). */
  readonly mostMessagesAhead: number;
  /** Suites in order of preference. */
  readonly cipherSuites: readonly number[];
  readonly groups: readonly number[];
  readonly signatureSchemes: readonly number[];
  /** RFC 7627 §5.3: end the handshake when the peer does not offer it. */
  readonly requireExtendedMasterSecret: boolean;
  /** Length of the ids we hand out; undefined does not negotiate, 0 asks for none towards us. */
  readonly connectionIdBytes: number | undefined;
  /** Asked of the peer as a client (RFC 6066 §4, RFC 8449). */
  readonly maxFragmentLength?: 512 | 1024 | 2048 | 4096;
  readonly recordSizeLimit?: number;
}

export const defaultHandshakeSettings: HandshakeSettings = {
  initialTimeoutMs: 1_000,
  largestTimeoutMs: 60_000,
  mostRetransmissions: 5,
  deadlineMs: 180_000,
  lingerMs: 240_000,
  mtuBytes: 1_200,
  smallMtuBytes: 512,
  largestMessageBytes: 16_384,
  mostMessagesAhead: 16,
  // PSK and ECDHE_ECDSA, CCM_8 first: what LwM2M devices have (LwM2M Transport 1.1 §5.2).
  cipherSuites: [0xc0a8, 0xc0ae, 0xc0a4, 0xc0ac, 0x00a8, 0xc02b, 0xd003, 0xd005, 0xd001, 0xc02f],
  groups: [23, 29, 24],
  signatureSchemes: [0x0403, 0x0503, 0x0807, 0x0401, 0x0804, 0x0501],
  requireExtendedMasterSecret: true,
  connectionIdBytes: 8,
};
