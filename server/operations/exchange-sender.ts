/** One exchange of a wake-up, whole: claimed in the store, sent if the device still listens, and ended in the store. */

import type { PlannedExchange } from "../planning/wake-up-plan.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { DevicePaces } from "./device-pace.ts";
import type { FormatFallback } from "./format-fallback.ts";
import { MergedExchange, type MergedMember, type MergedRequest } from "./merged-exchange.ts";
import { mergedPlan } from "./merged-plan.ts";
import type { Operation } from "./operation.ts";
import { type ExchangeDeps, OperationExchange } from "./operation-exchange.ts";
import { type OperationEvent, type OperationStep, step } from "./operation-machine.ts";
import type { OperationStore } from "./operation-store.ts";
import type { PreparedWakeUp, WakeUpPlanner } from "./wake-up-planner.ts";

export interface SenderDeps extends ExchangeDeps {
  readonly store: OperationStore;
  readonly owner: ProcessOwner;
  /** After every durable change; the operation as it is now. */
  readonly onChanged: (operation: Operation) => void;
}

/** A request that never left (its peer's queue was full) is tried again after this. */
export const pauseMs = 1_000;

/** `pauseMs`: how long the device is left alone; `again`: an operation of it is back in the queue, or was not there any more. */
export interface Sent {
  readonly pauseMs?: number;
  readonly again: boolean;
}

export class ExchangeSender {
  readonly #deps: SenderDeps;
  readonly #formats: FormatFallback;
  readonly #paces: DevicePaces;
  readonly #planner: WakeUpPlanner;
  readonly #single: OperationExchange;
  readonly #merged: MergedExchange;

  constructor(deps: SenderDeps, formats: FormatFallback, paces: DevicePaces, planner: WakeUpPlanner) {
    this.#deps = deps;
    this.#formats = formats;
    this.#paces = paces;
    this.#planner = planner;
    this.#single = new OperationExchange(deps, formats);
    this.#merged = new MergedExchange(deps, formats);
  }

  /** `begun`: the one operation of the exchange, which was stored as claimed. */
  async send(
    exchange: PlannedExchange,
    { members }: PreparedWakeUp,
    registration: Registration,
    signal: AbortSignal,
    begun?: Operation,
  ): Promise<Sent> {
    const carried = exchange.members.map(({ id }) => members.get(id)).filter((member) => member !== undefined);
    const request = this.#requestOf(exchange, carried, registration);
    if (request === "unfit") return { again: true };
    const operations = carried.map(({ operation }) => operation);
    const claimed = begun === undefined ? await this.apply(operations, { kind: "claim", owner: this.#deps.owner.name }) : [begun];
    // One of them was cancelled meanwhile: what is left is planned anew.
    if (claimed.length < operations.length || !this.#mayLeave(registration._id, signal)) {
      await this.apply(claimed, { kind: "putBack" });
      return { again: true };
    }
    const window = this.#planner.window(registration);
    const events = await this.#carryOut(request, carried, claimed, registration, signal);
    this.#noteCost(exchange, registration, window, events[0]);
    await this.#applyEach(claimed, events);
    return outcomeOf(events);
  }

  /** The same for all, in one write where the store can; returns those it applied to, as they are now. */
  apply(operations: readonly Operation[], event: OperationEvent): Promise<readonly Operation[]> {
    return this.#applyEach(
      operations,
      operations.map(() => event),
    );
  }

  async #applyEach(operations: readonly Operation[], events: readonly OperationEvent[]): Promise<readonly Operation[]> {
    const nowMs = this.#deps.clock.now();
    const steps = operations.map((operation, index): readonly [Operation, OperationStep] => {
      const event = events[index];
      const taken = event === undefined ? undefined : step(operation, event, nowMs);
      if (taken === undefined) throw new Error(`operation ${operation._id} is ${operation.status} and cannot ${event?.kind}`);
      return [operation, taken];
    });
    const changed = await this.#deps.store.applyAll(steps);
    for (const operation of changed) this.#deps.onChanged(operation);
    return changed;
  }

  /** Undefined: a single operation goes as it is. */
  #requestOf(exchange: PlannedExchange, carried: readonly MergedMember[], registration: Registration): MergedRequest | undefined | "unfit" {
    const { form, paths } = exchange;
    if (form === "single") return undefined;
    const model = deviceModel(this.#deps.registry, registration);
    const plans = carried.map(({ plan }) => plan);
    const plan = mergedPlan(form, paths, plans, registration, model);
    if (plan !== undefined) return { form, members: carried, plan };
    this.#formats.noteUnfit(form, registration);
    return "unfit";
  }

  /** The claim took time: a device that went to sleep meanwhile must not be called, nor what is another's by now be sent. */
  #mayLeave(endpoint: string, signal: AbortSignal): boolean {
    return this.#deps.registrations.isAwake(endpoint) && !signal.aborted && this.#deps.owner.isHeld();
  }

  async #carryOut(
    request: MergedRequest | undefined,
    carried: readonly MergedMember[],
    claimed: readonly Operation[],
    registration: Registration,
    signal: AbortSignal,
  ): Promise<readonly OperationEvent[]> {
    const now = carried.map((member, index) => ({ ...member, operation: claimed[index] ?? member.operation }));
    if (request !== undefined) return this.#merged.carryOut({ ...request, members: now }, registration, signal);
    const [only] = now;
    if (only === undefined) throw new Error("an exchange carries at least one operation");
    return [await this.#single.carryOut(only.operation, registration, only.plan, signal)];
  }

  #noteCost(
    { cost }: PlannedExchange,
    registration: Registration,
    window: ReturnType<WakeUpPlanner["window"]>,
    event: OperationEvent | undefined,
  ): void {
    const attempt = event !== undefined && "attempt" in event ? event.attempt : undefined;
    if (attempt === undefined) return;
    const { since = 0, exchanges = 0, bytes = 0 } = window ?? {};
    const spent = { exchanges, bytes, lastAt: this.#deps.clock.now() };
    this.#paces.note(registration._id, since, spent, attempt, cost.roundTrips);
  }
}

function outcomeOf(events: readonly OperationEvent[]): Sent {
  const pauses = events.flatMap((event) => {
    if (event.kind === "putBack") return [pauseMs];
    return event.kind === "apart" && event.pauseMs !== undefined ? [event.pauseMs] : [];
  });
  const again = events.some(({ kind }) => kind !== "finish");
  return pauses.length === 0 ? { again } : { again, pauseMs: Math.max(...pauses) };
}
