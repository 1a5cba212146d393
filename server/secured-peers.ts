/** What the features see of the secured side of a door: where a connection is, whose it is, and that it is gone. */
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Introduce, JoinedSocket } from "./joined-socket.ts";

/** `replaced`: by a newer connection of the same identity. */
export type LostReason = Extract<DtlsNews, { kind: "closed" }>["reason"] | "replaced";

export interface SecuredPeers {
  readonly port: number;
  /** Where an association is now; undefined when it is gone. */
  find(association: number): SocketAddress | undefined;
  /** Called once per association before any datagram of it is heard; those wait until the promise is settled. */
  onNew(introduce: Introduce): void;
  onLost(listener: (peer: SocketAddress, reason: LostReason) => void): void;
  readonly counters: { readonly [name: string]: number };
}

export function securedPeers(dtls: DtlsEndpoint, socket: JoinedSocket): SecuredPeers {
  const listeners: ((peer: SocketAddress, reason: LostReason) => void)[] = [];
  dtls.onNews((news) => {
    if (news.kind === "connected") socket.greet(news.peer);
    if (news.kind !== "closed" && news.kind !== "replaced") return;
    for (const listener of listeners) listener(news.peer, news.kind === "closed" ? news.reason : "replaced");
    if (news.peer.association !== undefined) socket.forget(news.peer.association.key);
  });
  return {
    port: dtls.plaintext.local.port,
    find: (association) => dtls.find(association),
    onNew: (introduce) => socket.onFirst(introduce),
    onLost: (listener) => {
      listeners.push(listener);
    },
    counters: dtls.counters,
  };
}

/** Of a server without a secured side. */
export const noSecuredPeers: SecuredPeers = {
  port: 0,
  find: () => undefined,
  onNew: () => {},
  onLost: () => {},
  counters: {},
};
