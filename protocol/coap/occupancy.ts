/** What an endpoint holds at the moment. All but `peers` is 0 when nothing is under way: what a leak shows in first. */
export interface Occupancy extends ServedOccupancy {
  /** Remembered, with something under way or not. */
  readonly peers: number;
  readonly busyPeers: number;
  readonly ownRequests: number;
  readonly heldObservations: number;
  /** Tokens somebody waits for an answer with. */
  readonly tokens: number;
}

/** The part of the server role. */
export interface ServedOccupancy {
  /** Requests a handler still works on. */
  readonly servedRequests: number;
  readonly servedObservations: number;
  /** Request bodies of which blocks are missing. */
  readonly assemblies: number;
  /** Answers kept for their later blocks. */
  readonly keptResponses: number;
  /** Bytes of those two. */
  readonly bodyBytes: number;
}
