/** Sees the requests to devices come and go: since when one is in the air, and that a device has acknowledged one before it answers. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Peer, RequestControl } from "@lwm2m/protocol/coap/message";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export interface ExchangeWatchDeps {
  readonly endpointAt: (address: SocketAddress) => string | undefined;
  readonly onAcknowledged: (endpoint: string) => void;
  readonly now: () => number;
}

export interface ExchangeWatch {
  /** The same endpoint, watched. */
  readonly coap: CoapEndpoint;
  /** Since when the oldest request to the device is in the air; undefined when none is. */
  inTheAirSince(endpoint: string): number | undefined;
}

export function watchExchanges(coap: CoapEndpoint, { endpointAt, onAcknowledged, now }: ExchangeWatchDeps): ExchangeWatch {
  const inTheAir = new Map<string, Set<{ readonly since: number }>>();
  const during = async <T>(
    { address }: Peer,
    control: RequestControl | undefined,
    ask: (watched: RequestControl) => Promise<T>,
  ): Promise<T> => {
    const endpoint = endpointAt(address);
    if (endpoint === undefined) return ask(control ?? {});
    const entry = { since: now() };
    const entries = inTheAir.get(endpoint) ?? new Set();
    inTheAir.set(endpoint, entries.add(entry));
    const heard = (): void => {
      onAcknowledged(endpoint);
      control?.onAcknowledged?.();
    };
    try {
      return await ask({ ...control, onAcknowledged: heard });
    } finally {
      entries.delete(entry);
      if (entries.size === 0) inTheAir.delete(endpoint);
    }
  };
  return {
    coap: {
      local: coap.local,
      peerAt: (address) => coap.peerAt(address),
      handle: (...args) => coap.handle(...args),
      request: (peer, request, control) => during(peer, control, (watched) => coap.request(peer, request, watched)),
      observe: (peer, request, listener, control) => during(peer, control, (watched) => coap.observe(peer, request, listener, watched)),
      ping: (...args) => coap.ping(...args),
      restoreObservation: (...args) => coap.restoreObservation(...args),
      setParameters: (...args) => coap.setParameters(...args),
      tap: (onTrace) => coap.tap(onTrace),
      close: () => coap.close(),
    },
    inTheAirSince(endpoint) {
      const [oldest] = inTheAir.get(endpoint) ?? [];
      return oldest?.since;
    },
  };
}
