/** Bounds of a DTLS endpoint: each with unit and reason. Those of one handshake are in `HandshakeSettings`. */

export interface DtlsLimits {
  /** Connections, those in the last step of a handshake included: 0.4 kB each. */
  readonly connections: number;
  /** Once the table is full, connections that were silent for so long make room, milliseconds. A NAT forgets in minutes… */
  readonly staleAfterMs: number;
  /** …but not with a connection id: then the device may sleep for days. */
  readonly staleWithIdAfterMs: number;
  /** Age at which a connection has to be made anew, milliseconds. */
  readonly mostAgeMs: number;
  /** Handshakes under way, all together. */
  readonly handshakes: number;
  /** From one address: a NAT has many devices behind it. */
  readonly handshakesPerAddress: number;
  /** From one /24 of IPv4 or /56 of IPv6. */
  readonly handshakesPerPrefix: number;
  /** Handshakes that are done but keep their last flight, in case the peer missed it; the oldest lets go. */
  readonly lingering: number;
  /** Begun per second, and how many at once after a pause. */
  readonly handshakesPerSecond: number;
  readonly handshakeBurst: number;
  /** HelloVerifyRequests per second to one prefix: what somebody who forges addresses can make us send there. */
  readonly cookiesPerPrefixPerSecond: number;
  /** Held by all handshakes for flights, reassembly and early records, bytes. */
  readonly handshakeBytes: number;
  /** Credential look-ups that are not answered yet. */
  readonly lookUps: number;
  /** Records of epoch 1 that overtook the keys, per handshake, bytes. */
  readonly earlyBytes: number;
  /** Handshake work in one go before datagrams of established peers get their turn, milliseconds. */
  readonly workSliceMs: number;
  /** Messages that wait for their slice; the peers repeat what finds no place. */
  readonly waitingWork: number;
  /** Those of one handshake: a flight in fragments and its repeat. */
  readonly waitingWorkPerHandshake: number;
  /** Those of all handshakes, bytes. */
  readonly waitingWorkBytes: number;
  /** Bytes per datagram: 1,280 of IPv6 less its header and that of UDP. */
  readonly datagramBytes: number;
  /** Connections with an address that is not proved yet (RFC 9146 §6). */
  readonly unprovedAddresses: number;
  /** Connections whose address objects are kept. */
  readonly cachedAddresses: number;
  /** Sessions a client remembers to resume. */
  readonly clientSessions: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const mebibyte = 1_048_576;

export const defaultDtlsLimits: DtlsLimits = {
  connections: 250_000,
  staleAfterMs: 30 * minuteMs,
  staleWithIdAfterMs: 3 * dayMs,
  mostAgeMs: 30 * dayMs,
  handshakes: 4_000,
  handshakesPerAddress: 256,
  handshakesPerPrefix: 1_000,
  lingering: 4_000,
  handshakesPerSecond: 2_000,
  handshakeBurst: 4_000,
  cookiesPerPrefixPerSecond: 2_000,
  handshakeBytes: 64 * mebibyte,
  lookUps: 1_000,
  earlyBytes: 2_048,
  workSliceMs: 2,
  waitingWork: 8_000,
  waitingWorkPerHandshake: 64,
  waitingWorkBytes: 16 * mebibyte,
  datagramBytes: 1_232,
  unprovedAddresses: 10_000,
  cachedAddresses: 4_096,
  clientSessions: 1_000,
};
