/** What an endpoint holds at the moment: for gauges, and for tests that look for what stays. */
import type { DtlsEndpoint } from "../endpoint-contract.ts";

export interface DtlsOccupancy {
  /** Rows: established, and those in the last step of a handshake. */
  readonly connections: number;
  /** Under way, or done and lingering. */
  readonly handshakes: number;
  /** Counted against the bounds on handshakes. */
  readonly handshakesUnderWay: number;
  readonly handshakeBytes: number;
  readonly waitingWork: number;
  readonly unprovedAddresses: number;
}

export interface MeasuredDtlsEndpoint extends DtlsEndpoint {
  occupancy(): DtlsOccupancy;
}
