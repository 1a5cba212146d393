import type { EventDraft } from "../events/event.ts";
import type { ObservedTarget } from "../operations/observation-exchange.ts";
import type { Json } from "../storage/collection.ts";
import { observationId } from "./observation.ts";

export type ObservationEvent = "observation.started" | "observation.ended" | "observation.refused" | "observation.silent";

export type EventDetails = { readonly [field: string]: Json };

export interface ObservedMoment {
  readonly endpoint: string;
  readonly target: ObservedTarget;
  /** Never twice for one observation and type: a token, a revision. */
  readonly step: string;
  readonly timeMs: number;
}

/** The subject is the device. */
export function observationDraft(
  type: ObservationEvent,
  { endpoint, target, step, timeMs }: ObservedMoment,
  more: EventDetails,
): EventDraft {
  const { path, paths } = target;
  const key = `observation/${observationId(endpoint, target)}/${step}/${type}`;
  const about = paths === undefined ? { path } : { path, paths: [...paths] };
  return { key, type, subject: endpoint, timeMs, data: { ...about, ...more } };
}
