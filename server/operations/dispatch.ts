/** What the dispatcher has in hand for a device. */
import type { PlannedExchange } from "../planning/wake-up-plan.ts";
import type { Operation } from "./operation.ts";
import type { PreparedWakeUp } from "./wake-up-planner.ts";

export interface Runner {
  /** Something may have changed since the store was last asked. */
  again: boolean;
  /** There is an operation that the plan in hand does not know. */
  isStale: boolean;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** A plan that is being carried out. */
export interface Course {
  readonly wakeUp: PreparedWakeUp;
  readonly left: readonly PlannedExchange[];
}

/** An operation that is stored as under way by who creates it. */
export interface Beginning {
  readonly claimed: Operation;
  /** Whether it is in the store. It is carried out then. */
  readonly settle: (isStored: boolean) => void;
}

/** How long the device is left alone, milliseconds; undefined: until something is expected, or it comes by itself. */
export interface Pause {
  readonly pauseMs: number | undefined;
}
