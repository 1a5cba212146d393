/**
 * When one observation notifies (LwM2M Core 1.1 §5.1.2, §6.4.3).
 *
 *   quiet --change that counts--> pending --pmin over--> notify, quiet
 *   quiet | pending --pmax over--> notify, quiet
 */

export interface Conditions {
  readonly pminMs: number;
  /** Undefined: none. */
  readonly pmaxMs: number | undefined;
  readonly greaterThan: number | undefined;
  readonly lessThan: number | undefined;
  readonly step: number | undefined;
}

export interface RelationState {
  readonly sentAt: number;
  /** Undefined where the target is no single number. */
  readonly sentNumber: number | undefined;
  readonly seenNumber: number | undefined;
  readonly pending: boolean;
}

export type RelationEvent =
  | { readonly kind: "changed"; readonly number: number | undefined }
  /** The timer fired, or the conditions changed. */
  | { readonly kind: "evaluate" };

export interface RelationStep {
  readonly state: RelationState;
  readonly notify: boolean;
  /** Evaluate again then; undefined: only a change can wake this relation. */
  readonly evaluateAt: number | undefined;
}

/** The answer to the Observe itself counts as the first notification. */
export function observed(number: number | undefined, nowMs: number): RelationState {
  return { sentAt: nowMs, sentNumber: number, seenNumber: number, pending: false };
}

export function step(state: RelationState, event: RelationEvent, conditions: Conditions, nowMs: number): RelationStep {
  const seenNumber = event.kind === "changed" ? event.number : state.seenNumber;
  const pending = state.pending || (event.kind === "changed" && counts(state, event.number, conditions));
  const pmaxMs = effectivePmax(conditions);
  const minimumAt = state.sentAt + conditions.pminMs;
  const maximumAt = pmaxMs === undefined ? undefined : state.sentAt + pmaxMs;
  const notify = (pending && nowMs >= minimumAt) || (maximumAt !== undefined && nowMs >= maximumAt);
  if (notify) {
    const next: RelationState = { sentAt: nowMs, sentNumber: seenNumber, seenNumber, pending: false };
    return { state: next, notify, evaluateAt: pmaxMs === undefined ? undefined : nowMs + pmaxMs };
  }
  const next: RelationState = { ...state, seenNumber, pending };
  return { state: next, notify, evaluateAt: pending ? earliest(minimumAt, maximumAt) : maximumAt };
}

/** A maximum below the minimum is ignored (LwM2M Core 1.1 §5.1.2). */
function effectivePmax(conditions: Conditions): number | undefined {
  if (conditions.pmaxMs === undefined || conditions.pmaxMs === 0 || conditions.pmaxMs < conditions.pminMs) return undefined;
  return conditions.pmaxMs;
}

function counts(state: RelationState, number: number | undefined, conditions: Conditions): boolean {
  const { greaterThan, lessThan } = conditions;
  const unconditional = greaterThan === undefined && lessThan === undefined && conditions.step === undefined;
  if (unconditional || number === undefined || state.seenNumber === undefined) return true;
  // Every crossing counts, in both directions; a step is measured from the value the server knows.
  if (greaterThan !== undefined && state.seenNumber > greaterThan !== number > greaterThan) return true;
  if (lessThan !== undefined && state.seenNumber < lessThan !== number < lessThan) return true;
  return conditions.step !== undefined && state.sentNumber !== undefined && Math.abs(number - state.sentNumber) >= conditions.step;
}

function earliest(a: number, b: number | undefined): number {
  return b === undefined ? a : Math.min(a, b);
}
