/** What happened below the handlers: the whole set of names, so that a metric has a bounded number of series. */

export type CoapCounters = {
  datagramsIn: number;
  datagramsOut: number;
  bytesIn: number;
  bytesOut: number;
  malformed: number;
  pings: number;
  requests: number;
  responses: number;
  duplicates: number;
  messageIdsReused: number;
  retransmissions: number;
  gaveUp: number;
  resetsIn: number;
  resetsOut: number;
  unmatchedAcknowledgements: number;
  unmatchedResponses: number;
  tokenMismatches: number;
  foreignAddress: number;
  staleNotifications: number;
  badOptions: number;
  refusedBusy: number;
  refusedRate: number;
  backOffs: number;
  peersEvicted: number;
  bugs: number;
};

export function createCoapCounters(): CoapCounters {
  return {
    datagramsIn: 0,
    datagramsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    malformed: 0,
    pings: 0,
    requests: 0,
    responses: 0,
    duplicates: 0,
    messageIdsReused: 0,
    retransmissions: 0,
    gaveUp: 0,
    resetsIn: 0,
    resetsOut: 0,
    unmatchedAcknowledgements: 0,
    unmatchedResponses: 0,
    tokenMismatches: 0,
    foreignAddress: 0,
    staleNotifications: 0,
    badOptions: 0,
    refusedBusy: 0,
    refusedRate: 0,
    backOffs: 0,
    peersEvicted: 0,
    bugs: 0,
  };
}
