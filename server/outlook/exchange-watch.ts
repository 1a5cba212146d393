/**
 * Sees the requests to devices come and go: since when one is in the air, that a device has acknowledged one before it answers, that a body
 * in blocks moves, and until when a device has asked to be left alone.
 */
import { findBackOffMs } from "@lwm2m/protocol/coap/back-off";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { defaultLimits } from "@lwm2m/protocol/coap/limits";
import type { Peer, RequestControl, RequestOutcome } from "@lwm2m/protocol/coap/message";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export interface ExchangeWatchDeps {
  readonly endpointAt: (address: SocketAddress) => string | undefined;
  readonly onAcknowledged: (endpoint: string) => void;
  /** Something came of a body in blocks, and the next block is asked for. */
  readonly onMoved: (endpoint: string) => void;
  readonly now: () => number;
}

/** The oldest request that is in the air. */
export interface InTheAir {
  readonly since: number;
  /** When the block that is waited for was asked for. */
  readonly movedAt: number;
  /** The device has it, and answers later (RFC 7252 §5.2.2). */
  readonly acknowledged: boolean;
}

/** When a device has to be left alone for a while (RFC 8516; RFC 7252 §5.9.3.4). */
export interface Patience {
  /** Undefined: it has not asked for any. */
  until(endpoint: string): number | undefined;
}

/** Devices whose wish for patience is remembered; of more the one that said so first is asked too early, and says so again. */
const mostPatient = 10_000;

export interface ExchangeWatch extends Patience {
  /** The same endpoint, watched. */
  readonly coap: CoapEndpoint;
  /** Undefined when none is. */
  inTheAir(endpoint: string): InTheAir | undefined;
}

export function watchExchanges(coap: CoapEndpoint, { endpointAt, onAcknowledged, onMoved, now }: ExchangeWatchDeps): ExchangeWatch {
  const inTheAir = new Map<string, Set<{ -readonly [field in keyof InTheAir]: InTheAir[field] }>>();
  const patient = new Map<string, number>();
  const notePatience = (endpoint: string, outcome: RequestOutcome): void => {
    const backOffMs = outcome.ok ? findBackOffMs(outcome.response, defaultLimits.longestBackOffMs) : undefined;
    if (backOffMs === undefined) return;
    patient.delete(endpoint);
    patient.set(endpoint, now() + backOffMs);
    const [oldest] = patient.keys();
    if (patient.size > mostPatient && oldest !== undefined) patient.delete(oldest);
  };
  const during = async <T extends RequestOutcome>(
    { address }: Peer,
    control: RequestControl | undefined,
    ask: (watched: RequestControl) => Promise<T>,
  ): Promise<T> => {
    const endpoint = endpointAt(address);
    if (endpoint === undefined) return ask(control ?? {});
    const entry = { since: now(), movedAt: now(), acknowledged: false };
    const entries = inTheAir.get(endpoint) ?? new Set();
    inTheAir.set(endpoint, entries.add(entry));
    const heard = (): void => {
      entry.acknowledged = true;
      onAcknowledged(endpoint);
      control?.onAcknowledged?.();
    };
    const moved = (): void => {
      entry.movedAt = now();
      entry.acknowledged = false;
      onMoved(endpoint);
      control?.onMoved?.();
    };
    try {
      const outcome = await ask({ ...control, onAcknowledged: heard, onMoved: moved });
      notePatience(endpoint, outcome);
      return outcome;
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
    inTheAir(endpoint) {
      const [oldest] = inTheAir.get(endpoint) ?? [];
      return oldest;
    },
    until(endpoint) {
      const at = patient.get(endpoint);
      if (at === undefined || at > now()) return at;
      patient.delete(endpoint);
      return undefined;
    },
  };
}
