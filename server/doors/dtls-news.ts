/** What the secured doors tell the operator: every connection at debug, failed handshakes at a bounded rate, for anybody can make them fail. */
import type { DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { BoundedLines } from "../bounded-lines.ts";
import type { Log } from "../log.ts";

/** Failed handshakes that are a line of their own. */
const failuresPerMinute = 30;

export function dtlsNewsLog(log: Log, clock: Clock, door: string): (news: DtlsNews) => void {
  const failures = new BoundedLines(clock, failuresPerMinute);
  return (news) => {
    switch (news.kind) {
      case "handshake-failed": {
        const { failure, reason, address } = news;
        // Ours, not the peer's: the server stops.
        if (failure === "cancelled") return;
        const line = failures.take();
        if (line === undefined) return;
        log.warn("handshake failed", { door, failure, reason, from: textOf(address), ...line });
        return;
      }
      case "connected":
        log.debug("connected", { door, from: textOf(news.peer), resumed: news.resumed, cipherSuite: news.cipherSuite.toString(16) });
        return;
      case "address-changed":
        log.debug("heard from elsewhere", { door, from: textOf(news.peer), before: textOf(news.before) });
        return;
      case "replaced":
        log.debug("connection replaced", { door, from: textOf(news.peer), by: textOf(news.by) });
        return;
      case "closed":
        log.debug("connection closed", { door, from: textOf(news.peer), reason: news.reason });
    }
  };
}

function textOf({ address, port }: SocketAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
