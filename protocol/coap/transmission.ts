/** A confirmable message of ours on its way: resent by the transmission machine until its outcome (RFC 7252 §4.2). */
import type { MessageLayer } from "./message-layer.ts";
import type { TransmissionHooks } from "./message-layer-contract.ts";
import type { OpenTransmission, PeerRecord } from "./peer-table.ts";
import { startTransmission, stepTransmission, type TransmissionEvent } from "./transmission-machine.ts";

export interface OutgoingMessage {
  readonly messageId: number;
  readonly bytes: Uint8Array;
}

/** Returns what stops it without an outcome. */
export function transmit(layer: MessageLayer, record: PeerRecord, message: OutgoingMessage, hooks: TransmissionHooks): () => void {
  const { messageId, bytes } = message;
  const parameters = layer.parametersOf(record);
  let state = startTransmission(parameters, layer.random.fraction());
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    timer.cancel();
    removeFrom(record.transmissions, transmission);
  };
  const step = (event: TransmissionEvent): void => {
    if (stopped) return;
    const next = stepTransmission(state, event, parameters.maxRetransmit);
    if (next.kind !== "waiting") {
      stop();
      if (next.kind === "gave-up") layer.counters.gaveUp++;
      hooks.onOutcome(next.kind);
      return;
    }
    state = next;
    layer.counters.retransmissions++;
    timer = layer.deadlines.after(state.timeoutMs, () => step("timeout"));
    layer.send(record, bytes);
    hooks.onDatagram(bytes.length);
  };
  const transmission: OpenTransmission = { messageId, acknowledged: () => step("acknowledged"), rejected: () => step("reset") };
  let timer = layer.deadlines.after(state.timeoutMs, () => step("timeout"));
  record.transmissions ??= [];
  record.transmissions.push(transmission);
  layer.send(record, bytes);
  hooks.onDatagram(bytes.length);
  return stop;
}

export function expectReset(record: PeerRecord, messageId: number, onReset: () => void): () => void {
  const expected: OpenTransmission = { messageId, acknowledged: () => {}, rejected: onReset };
  record.transmissions ??= [];
  record.transmissions.push(expected);
  return () => removeFrom(record.transmissions, expected);
}

function removeFrom(open: OpenTransmission[] | undefined, transmission: OpenTransmission): void {
  const at = open?.indexOf(transmission) ?? -1;
  if (at >= 0) open?.splice(at, 1);
}
