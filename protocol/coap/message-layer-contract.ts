/** What the message layer takes, and what it tells the layers above it. */
import type { Clock } from "../ports/clock.ts";
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { Random } from "../ports/random.ts";
import type { CoapCounters } from "./counters.ts";
import type { CoapLimits } from "./limits.ts";
import type { MessageView } from "./message-view.ts";
import type { TransmissionParameters } from "./parameters.ts";
import type { PeerRecord } from "./peer-table.ts";
import type { TransmissionOutcome } from "./transmission-machine.ts";

/** One message as it crossed the socket; `bytes` are valid only during the call. */
export interface TraceEvent {
  readonly direction: "in" | "out";
  readonly at: number;
  readonly peer: SocketAddress;
  readonly bytes: Uint8Array;
}

export type TraceTap = (event: TraceEvent) => void;

export interface MessageLayerSettings {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly random: Random;
  readonly parameters: TransmissionParameters;
  readonly limits: CoapLimits;
  readonly counters: CoapCounters;
  readonly onTrace: TraceTap | undefined;
  readonly onBug: (error: unknown) => void;
}

/** Where a received message stands in the deduplication table. */
export interface Receipt {
  readonly entry: number;
  readonly serial: number;
}

/** The layers above; the view is valid only during the call. */
export interface MessageEvents {
  onRequest(record: PeerRecord, view: MessageView, receipt: Receipt): void;
  /** Confirmable responses come with a receipt and are acknowledged, rejected or released by the one called. */
  onResponse(record: PeerRecord, view: MessageView, receipt: Receipt | undefined): void;
  /** RST for a message that is not waiting for an acknowledgement. */
  onRejected(record: PeerRecord, messageId: number): void;
}

export interface TransmissionHooks {
  /** Every datagram handed to the socket, resends included. */
  onDatagram(lengthBytes: number): void;
  onOutcome(outcome: TransmissionOutcome): void;
}
