/**
 * One bootstrap session (LwM2M Core 1.1 §6.1.7), from the accepted Bootstrap-Request to its end.
 *
 *   requested --reply left--> running(n)
 *   running(n) --answer, any--> running(n+1) | finishing      an error answer is recorded, the plan goes on
 *   finishing --2.xx--> finished
 *   finishing --4.xx, 5.xx--> failed(finish-rejected)          4.06: what the device holds is not consistent
 *   any open --no answer--> failed(no-answer)                  the device is gone or counts the session as over
 *   any open --superseded, closed, deadline--> failed(…)
 *
 * Only Finish decides: the device alone knows whether what it holds makes a working configuration, and field devices answer deletes and
 * optional writes with errors that do no harm. Any 2.xx is an acceptance: some devices answer a write with 2.01 instead of 2.04.
 */
import { formatCode, isSuccess } from "@lwm2m/protocol/coap/codes";
import { type FoundSecurity, type PlanStep, withSecurityNumbers } from "./bootstrap-plan.ts";

export type SessionState =
  | { readonly kind: "requested"; readonly steps: readonly PlanStep[] }
  | { readonly kind: "running"; readonly steps: readonly PlanStep[]; readonly index: number; readonly refused: number }
  | { readonly kind: "finishing"; readonly refused: number }
  /** `refused`: how many requests the device answered with an error on the way. */
  | { readonly kind: "finished"; readonly refused: number }
  | { readonly kind: "failed"; readonly reason: SessionFailure; readonly detail: string };

/** `internal`: a fault of ours; the session ends, the detail names it. */
export type SessionFailure = "no-answer" | "finish-rejected" | "superseded" | "deadline" | "closed" | "internal";

export type SessionEvent =
  | { readonly kind: "reply-left" }
  /** `found`: what a Discover told, when it could be read. `refused`: a success that a strict run does not take for one. */
  | { readonly kind: "answer"; readonly code: number; readonly found?: readonly FoundSecurity[] | undefined; readonly refused?: boolean }
  | { readonly kind: "no-answer"; readonly detail: string }
  | { readonly kind: "superseded" | "deadline" | "closed" }
  | { readonly kind: "internal"; readonly detail: string };

export type SessionEffect =
  | { readonly kind: "send"; readonly step: PlanStep }
  /** One request was answered: for the log of the session. */
  | { readonly kind: "record"; readonly step: PlanStep; readonly code: string; readonly accepted: boolean };

export type SessionStep = readonly [SessionState, readonly SessionEffect[]];

export function openSession(steps: readonly PlanStep[]): SessionState {
  if (steps.at(-1)?.kind !== "finish") throw new Error("a bootstrap plan ends with Finish");
  return { kind: "requested", steps };
}

export function step(state: SessionState, event: SessionEvent): SessionStep {
  if (state.kind === "finished" || state.kind === "failed") return [state, []];
  switch (event.kind) {
    case "reply-left":
      return state.kind === "requested" ? proceed(state.steps, 0, 0, []) : [state, []];
    case "answer":
      return answered(state, event.code, event.found, isSuccess(event.code) && event.refused !== true);
    case "no-answer":
    case "internal":
      return [{ kind: "failed", reason: event.kind, detail: event.detail }, []];
    case "superseded":
      return [{ kind: "failed", reason: "superseded", detail: "the device started over with a new Bootstrap-Request" }, []];
    case "deadline":
      return [{ kind: "failed", reason: "deadline", detail: "not finished within EXCHANGE_LIFETIME (247 s)" }, []];
    case "closed":
      return [{ kind: "failed", reason: "closed", detail: "the bootstrap server stopped" }, []];
  }
}

function answered(state: SessionState, code: number, found: readonly FoundSecurity[] | undefined, accepted: boolean): SessionStep {
  if (state.kind === "finishing") {
    const record: SessionEffect = { kind: "record", step: { kind: "finish" }, code: formatCode(code), accepted };
    if (accepted) return [{ kind: "finished", refused: state.refused }, [record]];
    return [{ kind: "failed", reason: "finish-rejected", detail: `Finish was answered ${formatCode(code)}` }, [record]];
  }
  if (state.kind !== "running") return [state, []];
  const current = state.steps[state.index];
  if (current === undefined) throw new Error(`session has ${state.steps.length} steps, an answer came for number ${state.index}`);
  const record: SessionEffect = { kind: "record", step: current, code: formatCode(code), accepted };
  const steps = current.kind === "discover" ? withSecurityNumbers(state.steps, accepted ? found : undefined) : state.steps;
  return proceed(steps, state.index + 1, state.refused + (accepted ? 0 : 1), [record]);
}

function proceed(steps: readonly PlanStep[], index: number, refused: number, effects: readonly SessionEffect[]): SessionStep {
  const next = steps[index];
  if (next === undefined) throw new Error("a bootstrap plan ends with Finish");
  const state: SessionState = next.kind === "finish" ? { kind: "finishing", refused } : { kind: "running", steps, index, refused };
  return [state, [...effects, { kind: "send", step: next }]];
}
