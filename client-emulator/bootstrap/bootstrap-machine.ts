/**
 * Client-initiated bootstrap as the device lives it (LwM2M Core 1.1 §6.1).
 *
 *   off --start--> requesting --2.04--> configuring --Finish, consistent--> off, finished
 *   requesting --refused/unanswered--> waiting --due--> requesting
 *   configuring --Finish, inconsistent--> configuring, 4.06 | --no Finish in time--> waiting
 *   requesting | configuring --lost--> waiting
 *   any --stop--> off; a configuration that was not finished is undone
 */

export type BootstrapState =
  | { readonly kind: "off" }
  | { readonly kind: "requesting"; readonly attempt: number }
  | { readonly kind: "configuring"; readonly attempt: number }
  | { readonly kind: "waiting"; readonly attempt: number };

export type BootstrapEvent =
  | { readonly kind: "start" }
  | { readonly kind: "accepted" }
  | { readonly kind: "refused" }
  /** The security session ended. */
  | { readonly kind: "lost" }
  /** The first operation may overtake the answer to the request. */
  | { readonly kind: "operation" }
  | { readonly kind: "finish"; readonly consistent: boolean }
  | { readonly kind: "due" }
  | { readonly kind: "stop" };

export type BootstrapEffect =
  | { readonly kind: "send-request" }
  | { readonly kind: "arm"; readonly delayMs: number | undefined }
  | { readonly kind: "finished" }
  /** What a session that never finished has written does not count. */
  | { readonly kind: "restore" };

export type BootstrapStep = readonly [BootstrapState, readonly BootstrapEffect[]];

/** EXCHANGE_LIFETIME: without Finish by then the session has failed (LwM2M Core 1.1 §6.1.7.7, RFC 7252 §4.8.2). */
const sessionMs = 247_000;
/** How to try again is left to the implementation: from 5 s, doubling to 5 minutes. */
const firstRetryMs = 5_000;
const longestRetryMs = 300_000;

export function step(state: BootstrapState, event: BootstrapEvent): BootstrapStep {
  switch (event.kind) {
    case "start":
      return state.kind === "off" ? request(1) : [state, []];
    case "accepted":
    case "operation":
      if (state.kind !== "requesting") return [state, []];
      return [{ kind: "configuring", attempt: state.attempt }, [{ kind: "arm", delayMs: sessionMs }]];
    case "refused":
      return state.kind === "requesting" ? retry(state.attempt, []) : [state, []];
    case "lost":
      if (state.kind === "requesting") return retry(state.attempt, []);
      return state.kind === "configuring" ? retry(state.attempt, [{ kind: "restore" }]) : [state, []];
    case "finish":
      if (state.kind !== "configuring" || !event.consistent) return [state, []];
      return [{ kind: "off" }, [{ kind: "arm", delayMs: undefined }, { kind: "finished" }]];
    case "due":
      if (state.kind === "waiting") return request(state.attempt + 1);
      return state.kind === "configuring" ? retry(state.attempt, [{ kind: "restore" }]) : [state, []];
    case "stop": {
      const undo: readonly BootstrapEffect[] = state.kind === "configuring" ? [{ kind: "restore" }] : [];
      return [{ kind: "off" }, [{ kind: "arm", delayMs: undefined }, ...undo]];
    }
  }
}

function request(attempt: number): BootstrapStep {
  return [{ kind: "requesting", attempt }, [{ kind: "arm", delayMs: undefined }, { kind: "send-request" }]];
}

function retry(attempt: number, effects: readonly BootstrapEffect[]): BootstrapStep {
  const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** (attempt - 1));
  return [{ kind: "waiting", attempt }, [...effects, { kind: "arm", delayMs }]];
}
