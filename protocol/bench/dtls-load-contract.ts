/** What the process that makes DTLS load is told and tells, over the channel between parent and child. */
import type { Proof } from "./dtls-parties.ts";

export interface DtlsTarget {
  readonly port: number;
  readonly proof: Proof;
  /** Of keys and certificates. */
  readonly folder: string;
  /** Source ports, each a device to the server. */
  readonly clients: number;
  /** The first one's number; default 0. */
  readonly firstClient?: number;
  /** Of the connection ids asked for; 0 for records in the form of RFC 6347. */
  readonly idBytes: number;
}

export type DtlsOrder =
  /** Each client sends the next record, sealed before the round, when it has its answer. */
  | { readonly kind: "records"; readonly target: DtlsTarget; readonly ms: number; readonly content: RecordContent }
  /** Each client begins the next handshake when one is done; none is resumed. */
  | { readonly kind: "handshakes"; readonly target: DtlsTarget; readonly ms: number }
  /** 64 bytes to be echoed at fixed instants; `latencyMs` is told. */
  | { readonly kind: "paced"; readonly target: DtlsTarget; readonly ms: number; readonly perSecond: number }
  /** The same first ClientHello from many prefixes, or, to a server without DTLS, anything as long. */
  | { readonly kind: "hellos"; readonly target: DtlsTarget; readonly ms: number };

export type RecordContent =
  | { readonly kind: "echo"; readonly bytes: number }
  /** Confirmable, with a token of 8 bytes, in hex; message id and token change with every request. */
  | { readonly kind: "coap"; readonly request: string; readonly code: number };
