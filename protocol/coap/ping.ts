/** CoAP ping: an empty confirmable message, which a peer that is there answers with RST (RFC 7252 §4.3). */
import type { Timer } from "../ports/clock.ts";
import type { RequestControl } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import { MessageType } from "./message-view.ts";
import type { PeerRecord } from "./peer-table.ts";
import { SendTurn } from "./send-turn.ts";

export type PingOutcome =
  | { readonly ok: true; readonly roundTripMs: number }
  | { readonly ok: false; readonly reason: "no-answer" | "cancelled" | "queue-full" };

export type PingControl = Pick<RequestControl, "timeoutMs" | "signal">;

/** It takes its turn among the requests (NSTART 1, RFC 7252 §4.7) and is resent as they are. `open`: what ends those under way. */
export function ping(layer: MessageLayer, record: PeerRecord, open: Set<() => void>, control: PingControl): Promise<PingOutcome> {
  const { signal, timeoutMs } = control;
  record.turn ??= new SendTurn();
  const { turn } = record;
  if (layer.closed || signal?.aborted) return Promise.resolve({ ok: false, reason: "cancelled" });
  if (!turn.idle && turn.waiting >= layer.limits.waitingRequestsPerPeer) return Promise.resolve({ ok: false, reason: "queue-full" });
  return new Promise((resolve) => {
    const owner = {};
    let stop: (() => void) | undefined;
    let pause: Timer | undefined;
    let deadline: Timer | undefined;
    const end = (outcome: PingOutcome): void => {
      for (const timer of [pause, deadline]) timer?.cancel();
      stop?.();
      signal?.removeEventListener("abort", cancel);
      open.delete(cancel);
      resolve(outcome);
      turn.leave(owner);
    };
    const cancel = (): void => end({ ok: false, reason: "cancelled" });
    const start = (): void => {
      const waitMs = layer.requestWaitMs(record, true);
      if (waitMs > 0) {
        pause = layer.deadlines.after(waitMs, start);
        return;
      }
      const sentAt = layer.deadlines.now();
      const messageId = layer.takeMessageId(record);
      stop = layer.transmit(record, messageId, emptyConfirmable(messageId), {
        onDatagram: () => {},
        // Some stacks acknowledge where they should reset: they are there all the same.
        onOutcome: (outcome) =>
          end(outcome === "gave-up" ? { ok: false, reason: "no-answer" } : { ok: true, roundTripMs: layer.deadlines.now() - sentAt }),
      });
    };
    open.add(cancel);
    signal?.addEventListener("abort", cancel, { once: true });
    if (timeoutMs !== undefined) deadline = layer.deadlines.after(timeoutMs, () => end({ ok: false, reason: "no-answer" }));
    turn.take(owner, start);
  });
}

function emptyConfirmable(messageId: number): Uint8Array {
  return Uint8Array.of(0x40 | (MessageType.confirmable << 4), 0, messageId >> 8, messageId & 0xff);
}
