/** Every bound of an endpoint, with unit and reason. */

export interface CoapLimits {
  /** Peers remembered at once; the one heard from longest ago, with nothing open, makes room. */
  readonly peers: number;
  /** Messages of one peer remembered for deduplication; Californium's bounded mode keeps as many. */
  readonly rememberedMessagesPerPeer: number;
  /** Bytes of stored answers of all peers; above it answers to GET and FETCH are made anew (RFC 7252 §4.5 allows it). */
  readonly rememberedReplyBytes: number;
  /** Requests of one peer that handlers work on at once; above it 5.03. */
  readonly servedRequestsPerPeer: number;
  /** The same over all peers. */
  readonly servedRequests: number;
  /** Requests and notifications of one peer taken in per second, on average; above it 4.29. What a device on a wire can ask, far above any radio. */
  readonly messagesPerSecondPerPeer: number;
  /** How many may come at once after a pause. */
  readonly messageBurstPerPeer: number;
  /** The same over all peers, above it 5.03: more than one core answers, to be lowered where it shares the core. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** The longest a 4.29 or 5.03 keeps requests to its sender back, milliseconds (RFC 8516 §4 sets none). */
  readonly longestBackOffMs: number;
  /** Requests to one peer that wait for their turn (NSTART 1); above it `queue-full`. */
  readonly waitingRequestsPerPeer: number;
  /** Largest request body taken in by Block1, bytes; above it 4.13. */
  readonly requestBodyBytes: number;
  /** Largest response body followed by Block2, bytes. */
  readonly responseBodyBytes: number;
  /** Block1 bodies of one peer under assembly at once. */
  readonly assembliesPerPeer: number;
  /** Bytes of all bodies under assembly or kept for later blocks. */
  readonly bodyBytes: number;
  /** How long an unfinished body, or one kept for later blocks, stays, milliseconds. */
  readonly bodyAgeMs: number;
  /** Relations one peer may hold here (RFC 7641 §4.1 lets a server decline). */
  readonly servedObservationsPerPeer: number;
}

const mebibyte = 1_048_576;

export const defaultLimits: CoapLimits = {
  peers: 200_000,
  rememberedMessagesPerPeer: 64,
  rememberedReplyBytes: 64 * mebibyte,
  servedRequestsPerPeer: 64,
  servedRequests: 20_000,
  messagesPerSecondPerPeer: 10_000,
  messageBurstPerPeer: 20_000,
  messagesPerSecond: 250_000,
  messageBurst: 250_000,
  longestBackOffMs: 300_000,
  waitingRequestsPerPeer: 64,
  requestBodyBytes: 4 * mebibyte,
  responseBodyBytes: 16 * mebibyte,
  assembliesPerPeer: 4,
  bodyBytes: 128 * mebibyte,
  bodyAgeMs: 247_000,
  servedObservationsPerPeer: 256,
};
