/**
 * Sends what waits: per device in order, one at a time, while the device is awake. An operation is claimed in the store before
 * it leaves and final there before anybody hears of it, so a crash at any point repeats nothing that must not be repeated.
 */

import type { Timer } from "@lwm2m/protocol/ports/clock";
import { deviceModel } from "../registration/device-model.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Supervisor } from "../supervisor.ts";
import type { Operation } from "./operation.ts";
import { type ExchangeDeps, OperationExchange, serverStops } from "./operation-exchange.ts";
import { type OperationEvent, step } from "./operation-machine.ts";
import type { OperationStore } from "./operation-store.ts";
import { planOperation } from "./plan-operation.ts";

export interface DispatcherDeps extends ExchangeDeps {
  readonly store: OperationStore;
  readonly supervisor: Supervisor;
  readonly owner: ProcessOwner;
  /** After every durable change; the operation as it is now. */
  readonly onChanged: (operation: Operation) => void;
}

/** A request that never left (its peer's queue was full) is tried again after this. */
const pauseMs = 1_000;
/** The device is at another process, or one has an operation of it in the air: looked at again after this. That is not told here. */
const elsewherePauseMs = 10_000;

interface Runner {
  /** Something may have changed since the store was last asked. */
  again: boolean;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** How long the device is left alone, milliseconds; undefined: its next operation has its turn. */
type Pause = number | undefined;

export class OperationDispatcher {
  readonly #deps: DispatcherDeps;
  readonly #exchange: OperationExchange;
  readonly #runners = new Map<string, Runner>();
  /** Devices whose next operation may not be sent yet, or whose last one did not leave. */
  readonly #timers = new Map<string, Timer>();
  /** Devices for which something may wait: most contacts of most devices then cost no look into the store. */
  readonly #expected = new Set<string>();
  /** Devices whose runner failed with an operation in hand, the store being gone: it is settled before the next is taken. */
  readonly #unsettled = new Set<string>();
  /** Devices that woke before `start`: what an earlier process left in the air must be settled first. */
  readonly #early = new Set<string>();
  #state: "waiting" | "open" | "closed" = "waiting";

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#exchange = new OperationExchange(deps);
  }

  start(): void {
    this.#state = "open";
    for (const endpoint of this.#early) this.wake(endpoint);
    this.#early.clear();
  }

  /** An operation for the device is in the store. */
  expect(endpoint: string): void {
    this.#expected.add(endpoint);
    this.wake(endpoint);
  }

  /** Sends what waits for the device, if it is awake. */
  wake(endpoint: string): void {
    if (!this.#expected.has(endpoint)) return;
    if (this.#state === "waiting") this.#early.add(endpoint);
    if (this.#state !== "open" || !this.#deps.registrations.isAwake(endpoint)) return;
    const runner = this.#runners.get(endpoint);
    if (runner === undefined) this.#start(endpoint);
    else runner.again = true;
  }

  /** What is in the air will not be answered: the device registered anew, is gone, or its connection is. */
  interrupt(endpoint: string, why?: string): void {
    this.#runners.get(endpoint)?.abort.abort(why);
  }

  /** Sends nothing more to the device until something is expected again; resolves when nothing is in the air. */
  async release(endpoint: string): Promise<void> {
    this.#expected.delete(endpoint);
    this.#exchange.forget(endpoint);
    this.#timers.get(endpoint)?.cancel();
    this.#timers.delete(endpoint);
    const runner = this.#runners.get(endpoint);
    runner?.abort.abort();
    await runner?.done;
  }

  async close(): Promise<void> {
    this.#state = "closed";
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    for (const runner of this.#runners.values()) runner.abort.abort(serverStops);
    while (this.#runners.size > 0) await Promise.all([...this.#runners.values()].map(({ done }) => done));
  }

  #start(endpoint: string): void {
    this.#timers.get(endpoint)?.cancel();
    this.#timers.delete(endpoint);
    const abort = new AbortController();
    let finish = (): void => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const runner: Runner = { again: true, abort, done };
    this.#runners.set(endpoint, runner);
    const failed = (error: unknown): never => {
      this.#unsettled.add(endpoint);
      runner.again = false;
      this.#wakeLater(endpoint, pauseMs);
      throw error;
    };
    const work = this.#run(endpoint, runner)
      .catch(failed)
      .finally(() => {
        this.#runners.delete(endpoint);
        finish();
        if (runner.again || abort.signal.aborted) this.wake(endpoint);
      });
    this.#deps.supervisor.run(work, `send what waits for ${endpoint}`);
  }

  async #run(endpoint: string, runner: Runner): Promise<void> {
    const { registrations, store, clock } = this.#deps;
    if (this.#unsettled.has(endpoint)) await this.#settle(endpoint);
    while (this.#state === "open" && !runner.abort.signal.aborted && registrations.isAwake(endpoint)) {
      runner.again = false;
      const operation = await store.nextQueued(endpoint, clock.now());
      if (operation === undefined) {
        if (runner.again) continue;
        const notBefore = await store.nextNotBefore(endpoint, clock.now());
        if (runner.again) continue;
        if (notBefore === undefined) this.#expected.delete(endpoint);
        else this.#wakeLater(endpoint, notBefore - clock.now());
        return;
      }
      const pause = await this.#carryOut(operation, runner);
      if (pause !== undefined) {
        runner.again = false;
        this.#wakeLater(endpoint, pause);
        return;
      }
    }
    runner.again = false;
  }

  /** Only one runner of this process works for a device, so what is under way in its name is what an earlier one could not finish. */
  async #settle(endpoint: string): Promise<void> {
    const { store, owner } = this.#deps;
    for (const operation of await store.inFlightOf(endpoint)) {
      if (operation.claim?.owner !== owner.name && !(await owner.isGone(operation.claim?.owner))) continue;
      await this.#apply(operation, { kind: "interrupt", attempt: undefined, detail: "the store failed while it was under way" });
    }
    this.#unsettled.delete(endpoint);
  }

  #wakeLater(endpoint: string, delayMs: number): void {
    if (this.#state !== "open") return;
    this.#timers.get(endpoint)?.cancel();
    this.#timers.set(
      endpoint,
      this.#deps.clock.after(delayMs, () => {
        this.#timers.delete(endpoint);
        this.wake(endpoint);
      }),
    );
  }

  async #carryOut(operation: Operation, runner: Runner): Promise<Pause> {
    const { owner } = this.#deps;
    // One at a time for a device holds for all processes.
    if (owner.isShared && (await this.#deps.store.inFlightOf(operation.endpoint)).length > 0) return elsewherePauseMs;
    const registration = await this.#deps.registrations.find(operation.endpoint);
    if (registration === undefined || !owner.isHeld()) return pauseMs;
    if (owner.isShared && registration.owner !== owner.name && !(await owner.isGone(registration.owner))) return elsewherePauseMs;
    const planned = planOperation(operation, registration, deviceModel(this.#deps.registry, registration));
    if (!planned.ok) {
      // It fitted when it was created: the device has registered another model since.
      const reason = planned.refusal.reason === "not-in-device-version" ? planned.refusal.reason : "path-not-in-model";
      await this.#apply(operation, { kind: "refuse", reason, detail: planned.refusal.detail });
      return undefined;
    }
    const claimed = await this.#apply(operation, { kind: "claim", owner: owner.name });
    if (claimed === undefined) return undefined;
    // The claim took time: a device that went to sleep meanwhile must not be called, nor what is another's by now be sent.
    if (!this.#deps.registrations.isAwake(operation.endpoint) || runner.abort.signal.aborted || !owner.isHeld()) {
      await this.#apply(claimed, { kind: "putBack" });
      return undefined;
    }
    const event = await this.#exchange.carryOut(claimed, registration, planned.plan, runner.abort.signal);
    await this.#apply(claimed, event);
    return event.kind === "putBack" ? pauseMs : undefined;
  }

  async #apply(operation: Operation, event: OperationEvent): Promise<Operation | undefined> {
    const taken = step(operation, event, this.#deps.clock.now());
    if (taken === undefined) throw new Error(`operation ${operation._id} is ${operation.status} and cannot ${event.kind}`);
    const changed = await this.#deps.store.apply(operation, taken);
    if (changed !== undefined) this.#deps.onChanged(changed);
    return changed;
  }
}
