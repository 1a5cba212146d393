/** What a run of the fuzz compares: how much an endpoint held at most, and what it holds when all should be over. */
import type { Occupancy } from "../coap/occupancy.ts";

/** Peers stay remembered, but none is made up; everything else has to be back at 0. */
export function whatStays({ peers, ...others }: Occupancy, knownPeers: number): string[] {
  const stays = Object.entries(others).filter(([, count]) => count !== 0);
  if (peers > knownPeers) stays.push(["peers", peers]);
  return stays.map(([name, count]) => `${name} ${count}`);
}

export function mostOf(left: Occupancy, right: Occupancy): Occupancy {
  return {
    peers: Math.max(left.peers, right.peers),
    busyPeers: Math.max(left.busyPeers, right.busyPeers),
    ownRequests: Math.max(left.ownRequests, right.ownRequests),
    heldObservations: Math.max(left.heldObservations, right.heldObservations),
    tokens: Math.max(left.tokens, right.tokens),
    servedRequests: Math.max(left.servedRequests, right.servedRequests),
    servedObservations: Math.max(left.servedObservations, right.servedObservations),
    assemblies: Math.max(left.assemblies, right.assemblies),
    keptResponses: Math.max(left.keptResponses, right.keptResponses),
    bodyBytes: Math.max(left.bodyBytes, right.bodyBytes),
  };
}
