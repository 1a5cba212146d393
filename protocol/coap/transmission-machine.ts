/**
 * One confirmable message until it is acknowledged, rejected or given up (RFC 7252 §4.2).
 *
 *   waiting --acknowledged--> acknowledged
 *   waiting --reset---------> rejected
 *   waiting --timeout-------> waiting (sent again, timeout doubled) | gave-up
 */
import type { TransmissionParameters } from "./parameters.ts";

export type TransmissionState =
  | { readonly kind: "waiting"; readonly resends: number; readonly timeoutMs: number }
  | { readonly kind: TransmissionOutcome };

export type TransmissionOutcome = "acknowledged" | "rejected" | "gave-up";

export type TransmissionEvent = "acknowledged" | "reset" | "timeout";

/** The first timeout: ACK_TIMEOUT times a chance factor between 1 and ACK_RANDOM_FACTOR; `chance` in [0, 1). */
export function startTransmission(parameters: TransmissionParameters, chance: number): TransmissionState & { readonly kind: "waiting" } {
  const factor = 1 + (parameters.ackRandomFactor - 1) * chance;
  return { kind: "waiting", resends: 0, timeoutMs: parameters.ackTimeoutMs * factor };
}

/** In state `waiting` after a timeout the message is due again now, and the next timeout runs from now. */
export function stepTransmission(state: TransmissionState, event: TransmissionEvent, maxRetransmit: number): TransmissionState {
  if (state.kind !== "waiting") return state;
  switch (event) {
    case "acknowledged":
      return { kind: "acknowledged" };
    case "reset":
      return { kind: "rejected" };
    case "timeout":
      if (state.resends >= maxRetransmit) return { kind: "gave-up" };
      return { kind: "waiting", resends: state.resends + 1, timeoutMs: state.timeoutMs * 2 };
  }
}
