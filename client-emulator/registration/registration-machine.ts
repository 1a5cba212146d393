/**
 * One registration with one server (LwM2M Core 1.1 §6.2).
 *
 *   off --start--> registering --2.01--> registered --due/change--> updating --2.04--> registered
 *   registering --refused/unanswered--> waiting --due--> registering …, after the last attempt: bootstrap, or on at the longest delay
 *   updating --4.04/other/unanswered--> registering
 *   registered | updating --lost--> waiting; a new security session begins with a new registration
 *   registered | updating --stop--> deregistering --> off;  --disable--> deregistering --> disabled --due--> registering
 */

export interface UpdateChanges {
  readonly lifetime: boolean;
  readonly binding: boolean;
  readonly objects: boolean;
}

export type RegistrationState =
  | { readonly kind: "off" }
  | { readonly kind: "registering"; readonly attempt: number; readonly late: UpdateChanges | undefined }
  | { readonly kind: "waiting"; readonly attempt: number }
  | { readonly kind: "registered"; readonly location: readonly string[] }
  /** `late`: what changed while the Update was under way; it leaves in the next one. */
  | { readonly kind: "updating"; readonly location: readonly string[]; readonly late: UpdateChanges | undefined }
  | { readonly kind: "deregistering"; readonly disableMs: number | undefined }
  | { readonly kind: "disabled" };

export type RegistrationEvent =
  | { readonly kind: "start" }
  | { readonly kind: "registered"; readonly location: readonly string[] }
  | { readonly kind: "updated" }
  /** An error answer; `maxAgeMs` is how long a 5.03 asks to stay away (RFC 7252 §5.9.3.4). */
  | { readonly kind: "refused"; readonly maxAgeMs: number }
  | { readonly kind: "unanswered" }
  /** The security session ended under the registration; another is tried for after `delayMs`. */
  | { readonly kind: "lost"; readonly delayMs: number }
  /** The one timer of this machine fired. */
  | { readonly kind: "due" }
  | { readonly kind: "change"; readonly changes: UpdateChanges }
  | { readonly kind: "disable"; readonly disableMs: number }
  | { readonly kind: "deregistered" }
  | { readonly kind: "stop" }
  /** Power lost: everything about the registration is forgotten without a word to the server. */
  | { readonly kind: "reset" };

export type RegistrationEffect =
  | { readonly kind: "send-register" }
  | { readonly kind: "send-update"; readonly location: readonly string[]; readonly changes: UpdateChanges }
  | { readonly kind: "send-deregister"; readonly location: readonly string[] }
  | { readonly kind: "abandon-request" }
  /** Replaces the timer; undefined stops it. */
  | { readonly kind: "arm"; readonly delayMs: number | undefined }
  | { readonly kind: "bootstrap" };

export interface RegistrationParameters {
  /** From one Register or Update to the next Update; undefined: the lifetime is infinite. */
  readonly updateAfterMs: number | undefined;
  /** /1/x/17: attempts in a sequence. */
  readonly retryCount: number;
  /** /1/x/18: the delay after the first failed attempt; doubles with each. */
  readonly retryTimerMs: number;
  /** /1/x/16, and an account of a bootstrap server exists. */
  readonly bootstrapOnFailure: boolean;
}

export type RegistrationStep = readonly [RegistrationState, readonly RegistrationEffect[]];

export const noChanges: UpdateChanges = { lifetime: false, binding: false, objects: false };

export function step(state: RegistrationState, event: RegistrationEvent, parameters: RegistrationParameters): RegistrationStep {
  switch (event.kind) {
    case "start":
      return state.kind === "off" ? register(1) : [state, []];
    case "registered":
      return state.kind === "registering" ? settled(event.location, state.late, parameters) : [state, []];
    case "updated":
      return state.kind === "updating" ? settled(state.location, state.late, parameters) : [state, []];
    case "refused":
      return failed(state, event.maxAgeMs, parameters);
    case "unanswered":
      return failed(state, 0, parameters);
    case "lost":
      return lost(state, event.delayMs, parameters);
    case "due":
      return due(state);
    case "change":
      return changed(state, event.changes);
    case "disable":
      return leave(state, event.disableMs);
    case "stop":
      return leave(state, undefined);
    case "deregistered":
      if (state.kind !== "deregistering") return [state, []];
      if (state.disableMs === undefined) return [{ kind: "off" }, [{ kind: "arm", delayMs: undefined }]];
      return [{ kind: "disabled" }, [{ kind: "arm", delayMs: state.disableMs }]];
    case "reset":
      return [{ kind: "off" }, [{ kind: "abandon-request" }, { kind: "arm", delayMs: undefined }]];
  }
}

function register(attempt: number): RegistrationStep {
  return [{ kind: "registering", attempt, late: undefined }, [{ kind: "arm", delayMs: undefined }, { kind: "send-register" }]];
}

function update(location: readonly string[], changes: UpdateChanges): RegistrationStep {
  return [
    { kind: "updating", location, late: undefined },
    [
      { kind: "arm", delayMs: undefined },
      { kind: "send-update", location, changes },
    ],
  ];
}

function settled(location: readonly string[], late: UpdateChanges | undefined, parameters: RegistrationParameters): RegistrationStep {
  if (late !== undefined) return update(location, late);
  return [{ kind: "registered", location }, [{ kind: "arm", delayMs: parameters.updateAfterMs }]];
}

function failed(state: RegistrationState, maxAgeMs: number, parameters: RegistrationParameters): RegistrationStep {
  // A failed Update means that the server may not know this client any more: it registers anew (LwM2M Core 1.1 §6.2.2).
  if (state.kind === "updating") return register(1);
  if (state.kind !== "registering") return [state, []];
  const last = state.attempt >= parameters.retryCount;
  if (last && parameters.bootstrapOnFailure) return [{ kind: "off" }, [{ kind: "bootstrap" }]];
  // Delay before attempt n+1: Communication Retry Timer times 2^(n-1) (LwM2M Core 1.1 §6.2.1.1). With nobody to ask for other
  // servers this device goes on at the longest delay instead of waiting a day for its next sequence.
  const delayMs = Math.max(maxAgeMs, parameters.retryTimerMs * 2 ** (state.attempt - 1));
  return [{ kind: "waiting", attempt: last ? state.attempt : state.attempt + 1 }, [{ kind: "arm", delayMs }]];
}

function lost(state: RegistrationState, delayMs: number, parameters: RegistrationParameters): RegistrationStep {
  switch (state.kind) {
    case "registered":
      return [{ kind: "waiting", attempt: 1 }, [{ kind: "arm", delayMs }]];
    case "updating":
      return [{ kind: "waiting", attempt: 1 }, [{ kind: "abandon-request" }, { kind: "arm", delayMs }]];
    case "registering": {
      const [next, effects] = failed(state, delayMs, parameters);
      return [next, [{ kind: "abandon-request" }, ...effects]];
    }
    case "off":
    case "waiting":
    case "deregistering":
    case "disabled":
      return [state, []];
  }
}

function due(state: RegistrationState): RegistrationStep {
  switch (state.kind) {
    case "waiting":
      return register(state.attempt);
    case "registered":
      return update(state.location, noChanges);
    case "disabled":
      return register(1);
    case "off":
    case "registering":
    case "updating":
    case "deregistering":
      return [state, []];
  }
}

function changed(state: RegistrationState, changes: UpdateChanges): RegistrationStep {
  switch (state.kind) {
    case "registered":
      return update(state.location, changes);
    case "registering":
    case "updating":
      return [{ ...state, late: merge(state.late, changes) }, []];
    case "off":
    case "waiting":
    case "deregistering":
    case "disabled":
      return [state, []];
  }
}

function leave(state: RegistrationState, disableMs: number | undefined): RegistrationStep {
  if (state.kind === "registered" || state.kind === "updating") {
    return [
      { kind: "deregistering", disableMs },
      [{ kind: "abandon-request" }, { kind: "arm", delayMs: undefined }, { kind: "send-deregister", location: state.location }],
    ];
  }
  if (state.kind === "deregistering") return [{ kind: "deregistering", disableMs }, []];
  return [{ kind: "off" }, [{ kind: "abandon-request" }, { kind: "arm", delayMs: undefined }]];
}

function merge(earlier: UpdateChanges | undefined, later: UpdateChanges): UpdateChanges {
  if (earlier === undefined) return later;
  return {
    lifetime: later.lifetime || earlier.lifetime,
    binding: later.binding || earlier.binding,
    objects: later.objects || earlier.objects,
  };
}
