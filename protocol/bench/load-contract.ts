/** What the process that makes load is told and tells, over the channel between parent and child. */
import type { Percentiles } from "./statistics.ts";

export interface Target {
  readonly port: number;
  /** Source ports, each a device to the server. */
  readonly clients: number;
  /** Confirmable, with a token of 8 bytes, in hex; message id and token change with every request. */
  readonly request: string;
  /** The code byte of an answer that counts. */
  readonly code: number;
  /** Sent once by each client before anything else: a registration. */
  readonly introduction?: Introduction;
}

export interface Introduction {
  /** In hex; where it reads `00000`, the client's number is put. */
  readonly request: string;
  readonly code: number;
}

export type LoadOrder =
  /** Each client asks again when it is answered. */
  | { readonly kind: "closed"; readonly target: Target; readonly ms: number }
  /** Requests leave at fixed instants, answered or not. `watchful` reads the clock all the time and keeps its core busy for it. */
  | { readonly kind: "paced"; readonly target: Target; readonly ms: number; readonly perSecond: number; readonly watchful: boolean };

export interface LoadReport {
  readonly sent: number;
  readonly answered: number;
  readonly seconds: number;
  /** CPU time of the load process: near `seconds` it was the load that ran out of CPU. */
  readonly cpuSeconds: number;
  /** From the instant a request was due to its answer, milliseconds; only of paced load. */
  readonly latencyMs: Percentiles | null;
  /** From the instant a request was due to its sending, milliseconds: what of the latency is the load's own. */
  readonly latenessMs: Percentiles | null;
}
