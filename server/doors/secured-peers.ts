/** What the features see of the secured side of a door: where a connection is, whose it is, and that it is gone. */
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Introduce, JoinedSocket } from "./joined-socket.ts";

/** `replaced`: by a newer connection of the same identity. */
export type LostReason = Extract<DtlsNews, { kind: "closed" }>["reason"] | "replaced";

export type LostListener = (peer: SocketAddress, reason: LostReason, by: SocketAddress | undefined) => void;

export interface SecuredPeers {
  readonly port: number;
  /** Where an association is now; undefined when it is gone. */
  find(association: number): SocketAddress | undefined;
  /** Lets go of a connection that another has taken the place of. */
  drop(association: number): void;
  /** Called once per association at its first datagram; what it sends waits until the promise is settled. */
  onNew(introduce: Introduce): void;
  /** `by`: the newer connection that replaced it. */
  onLost(listener: LostListener): void;
  readonly counters: { readonly [name: string]: number };
}

export function securedPeers(dtls: DtlsEndpoint, socket: JoinedSocket): SecuredPeers {
  const listeners: LostListener[] = [];
  dtls.onNews((news) => {
    if (news.kind !== "closed" && news.kind !== "replaced") return;
    for (const listener of listeners) {
      if (news.kind === "closed") listener(news.peer, news.reason, undefined);
      else listener(news.peer, "replaced", news.by);
    }
    if (news.peer.association !== undefined) socket.forget(news.peer.association.key);
  });
  return {
    port: dtls.plaintext.local.port,
    find: (association) => dtls.find(association),
    drop: (association) => dtls.disconnect(association),
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
  drop: () => {},
  onNew: () => {},
  onLost: () => {},
  counters: {},
};
