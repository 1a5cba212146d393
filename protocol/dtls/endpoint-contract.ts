/** DTLS as the layers above see it: datagrams in the clear by association, and news about associations. */
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { ClientCredentials } from "./credentials-contract.ts";
import type { HandshakeFailure } from "./handshake-contract.ts";

export interface DtlsEndpoint {
  /**
   * Plaintext datagrams. What arrives carries `from.association`; what is sent goes by `to.association`, and is dropped and counted
   * when that association is gone: a server never starts a handshake, a client does so by `connect`.
   */
  readonly plaintext: DatagramSocket;
  /** A handshake as client; resolves with the address to send to. Rejects with `DtlsError` and its reason. */
  connect(address: SocketAddress, credentials: ClientCredentials, control?: { readonly signal?: AbortSignal }): Promise<SocketAddress>;
  /** Where an association is now, to send to it: also one that an earlier process made. Undefined when it is gone. */
  find(association: number): SocketAddress | undefined;
  /** close_notify, or access_denied for a credential that was removed, and forget; no effect for an association that is gone. */
  disconnect(association: number, reason?: "local" | "credential-removed"): void;
  /**
   * Drops every association for which it says true (a credential was removed); returns how many. What could be resumed is the session
   * cache's to forget, and a handshake under way shows by `beganAt` that it may have been let in before.
   */
  disconnectWhere(matches: (address: SocketAddress) => boolean): number;
  /**
   * Asks `isStillWelcome` of every client's association, and drops those that are not; returns how many. For associations an earlier
   * process made: a credential may have been removed since. Rejects when a look-up does; that client stays.
   */
  dropUnwelcome(): Promise<number>;
  onNews(listener: (news: DtlsNews) => void): void;
  readonly counters: { readonly [name: string]: number };
  /** Journals what must survive, closes the socket. `persist: false` says close_notify to every peer first. */
  close(control?: { readonly persist?: boolean }): Promise<void>;
}

export type DtlsNews =
  | {
      readonly kind: "connected";
      readonly peer: SocketAddress;
      readonly resumed: boolean;
      readonly cipherSuite: number;
      /** When its handshake did, milliseconds of the clock: what was looked up for it was looked up after that. */
      readonly beganAt: number;
    }
  | { readonly kind: "address-changed"; readonly peer: SocketAddress; readonly before: SocketAddress }
  /** A new handshake of the same identity or from the same address took its place. */
  | { readonly kind: "replaced"; readonly peer: SocketAddress; readonly by: SocketAddress }
  | {
      readonly kind: "closed";
      readonly peer: SocketAddress;
      readonly reason: "close-notify" | "alert" | "local" | "evicted" | "credential-removed" | "aged";
    }
  | { readonly kind: "handshake-failed"; readonly address: SocketAddress; readonly failure: HandshakeFailure; readonly reason: string };

export class DtlsError extends Error {
  readonly failure: HandshakeFailure;

  constructor(failure: HandshakeFailure, reason: string) {
    super(reason);
    this.name = "DtlsError";
    this.failure = failure;
  }
}
