/**
 * Sends what waits: per device one exchange at a time, as planned for its wake-up, while the device is awake. An operation is claimed in
 * the store before it leaves and final there before anybody hears of it, so a crash at any point repeats nothing that must not be repeated.
 */
import type { Timer } from "@lwm2m/protocol/ports/clock";
import type { Patience } from "../outlook/exchange-watch.ts";
import type { Registration } from "../registration/registration.ts";
import type { Supervisor } from "../supervisor.ts";
import { DevicePaces } from "./device-pace.ts";
import type { Beginning, Course, Pause, Runner } from "./dispatch.ts";
import { serverStops } from "./exchange-failure.ts";
import { ExchangeSender, pauseMs, type SenderDeps } from "./exchange-sender.ts";
import { FormatFallback } from "./format-fallback.ts";
import type { Operation } from "./operation.ts";
import { step } from "./operation-machine.ts";
import { type PlannerDeps, type PreparedWakeUp, WakeUpPlanner } from "./wake-up-planner.ts";

export interface DispatcherDeps extends SenderDeps, PlannerDeps {
  readonly registrations: SenderDeps["registrations"];
  readonly supervisor: Supervisor;
  readonly patience: Patience;
}

/** The device is at another process, or one has an operation of it in the air: looked at again after this. That is not told here. */
const elsewherePauseMs = 10_000;

export class OperationDispatcher {
  readonly #deps: DispatcherDeps;
  readonly #formats = new FormatFallback();
  readonly #paces = new DevicePaces();
  readonly #planner: WakeUpPlanner;
  readonly #sender: ExchangeSender;
  readonly #runners = new Map<string, Runner>();
  /** Devices whose next operation may not be sent yet, or whose last one did not leave. */
  readonly #timers = new Map<string, Timer>();
  /** Devices that are awake and are sent no more: what is due does not fit into what is left of their wake-up. */
  readonly #heldBack = new Set<string>();
  /** Devices for which something may wait: most contacts of most devices then cost no look into the store. */
  readonly #expected = new Set<string>();
  /** Devices whose runner failed with an operation in hand, the store being gone: it is settled before the next is taken. */
  readonly #unsettled = new Set<string>();
  /** Devices that woke before `start`: what an earlier process left in the air must be settled first. */
  readonly #early = new Set<string>();
  #state: "waiting" | "open" | "closed" = "waiting";

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#planner = new WakeUpPlanner(deps, this.#formats, this.#paces);
    this.#sender = new ExchangeSender(deps, this.#formats, this.#paces, this.#planner);
  }

  start(): void {
    this.#state = "open";
    for (const endpoint of this.#early) this.wake(endpoint);
    this.#early.clear();
  }

  /** An operation for the device is in the store. */
  expect(endpoint: string): void {
    this.#expected.add(endpoint);
    const runner = this.#runners.get(endpoint);
    if (runner !== undefined) runner.isStale = true;
    this.wake(endpoint);
  }

  /** It is awake, and what is due for it waits for a later wake-up all the same. */
  isHeldBack(endpoint: string): boolean {
    return this.#heldBack.has(endpoint);
  }

  /** Nothing waits for the device, as far as this process can know: then there is nothing of it in the store. */
  isIdle(endpoint: string): boolean {
    if (this.#state !== "open" || this.#deps.owner.isShared) return false;
    return ![this.#expected, this.#runners, this.#timers, this.#unsettled].some((each) => each.has(endpoint));
  }

  /**
   * Spares the two writes of queueing and claiming one of them, and the looks into the queue: for a new operation of a device that is awake and
   * has nothing else to do. Undefined: it has to be queued.
   */
  async begin(operation: Operation): Promise<Beginning | undefined> {
    const { endpoint } = operation;
    const { registrations, clock, owner, patience } = this.#deps;
    const mayBegin = (): boolean =>
      this.isIdle(endpoint) && registrations.isAwake(endpoint) && owner.isHeld() && patience.until(endpoint) === undefined;
    const nowMs = clock.now();
    if (!mayBegin() || (operation.notBefore ?? nowMs) > nowMs) return undefined;
    const registration = await registrations.find(endpoint);
    if (registration === undefined) return undefined;
    const wakeUp = await this.#planner.prepare([operation], registration);
    const [exchange] = this.#planner.asOfNow(wakeUp.exchanges, registration);
    const claim = step(operation, { kind: "claim", owner: owner.name }, nowMs);
    if (exchange === undefined || exchange.postponed !== null || claim === undefined || !mayBegin()) return undefined;
    const outbox = [...operation.outbox, ...claim.events];
    const claimed = { ...operation, ...claim.change, outbox, hasOutbox: outbox.length > 0 };
    let settle: Beginning["settle"] = () => {};
    const isStored = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    this.#expected.add(endpoint);
    this.#start(endpoint, async ({ abort }) => {
      if (await isStored) await this.#sender.send(exchange, wakeUp, registration, abort.signal, claimed);
    });
    return { claimed, settle };
  }

  /** What the next wake-up of the device will do with these operations, queued and due. */
  preview(operations: readonly Operation[], registration: Registration): Promise<PreparedWakeUp> {
    return this.#planner.prepare(operations, registration);
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
    this.#formats.forget(endpoint);
    this.#paces.forget(endpoint);
    this.#heldBack.delete(endpoint);
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

  #start(endpoint: string, first?: (runner: Runner) => Promise<void>): void {
    this.#timers.get(endpoint)?.cancel();
    this.#timers.delete(endpoint);
    this.#heldBack.delete(endpoint);
    const abort = new AbortController();
    let finish = (): void => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const runner: Runner = { again: true, isStale: false, abort, done };
    this.#runners.set(endpoint, runner);
    const failed = (error: unknown): never => {
      this.#unsettled.add(endpoint);
      runner.again = false;
      this.#wakeLater(endpoint, pauseMs);
      throw error;
    };
    const work = this.#run(endpoint, runner, first)
      .catch(failed)
      .finally(() => {
        this.#runners.delete(endpoint);
        finish();
        if (runner.again || abort.signal.aborted) this.wake(endpoint);
      });
    this.#deps.supervisor.run(work, `send what waits for ${endpoint}`);
  }

  async #run(endpoint: string, runner: Runner, first?: (runner: Runner) => Promise<void>): Promise<void> {
    const { registrations } = this.#deps;
    await first?.(runner);
    if (this.#unsettled.has(endpoint)) await this.#settle(endpoint);
    let course: Course | undefined;
    while (this.#state === "open" && !runner.abort.signal.aborted && registrations.isAwake(endpoint)) {
      runner.again = false;
      const step = await this.#step(endpoint, runner, course);
      if (!("pauseMs" in step)) {
        course = step.course;
        continue;
      }
      if (runner.isStale) continue;
      runner.again = false;
      if (step.pauseMs !== undefined) this.#wakeLater(endpoint, step.pauseMs);
      return;
    }
    runner.again = false;
  }

  /** One exchange, by the plan in hand or, when it is done or does not hold any more, by a new one. */
  async #step(endpoint: string, runner: Runner, before: Course | undefined): Promise<{ readonly course: Course | undefined } | Pause> {
    // The CoAP endpoint would hold a request until then, and send it to a device that sleeps by now.
    const patienceUntil = this.#deps.patience.until(endpoint);
    if (patienceUntil !== undefined) return { pauseMs: patienceUntil - this.#deps.clock.now() };
    const isDone = before === undefined || before.left.length === 0 || runner.isStale;
    runner.isStale = false;
    const queued = isDone ? await this.#deps.store.queuedOf(endpoint, this.#deps.clock.now()) : undefined;
    if (queued?.length === 0) return this.#finished(endpoint, runner);
    const registration = await this.#registrationToCall(endpoint);
    if ("pauseMs" in registration) return registration;
    // It may have registered something else.
    if (queued === undefined && before?.wakeUp.registration.rev !== registration.rev) return { course: undefined };
    const course = queued === undefined ? before : await this.#newCourse(queued, registration);
    if (course === undefined || course.left.length === 0) return { course: undefined };
    const now = this.#planner.asOfNow(course.left, registration);
    const next = now.find(({ postponed }) => postponed === null);
    if (next === undefined) {
      this.#heldBack.add(endpoint);
      return { pauseMs: this.#untilCountedAnew(registration) };
    }
    const { again, ...pause } = await this.#sender.send(next, course.wakeUp, registration, runner.abort.signal);
    if (pause.pauseMs !== undefined) return { pauseMs: pause.pauseMs };
    // What is back in the queue comes before what touches it.
    return { course: again ? undefined : { ...course, left: now.filter((exchange) => exchange !== next) } };
  }

  /** Nothing is due. */
  async #finished(endpoint: string, runner: Runner): Promise<{ readonly course: undefined } | Pause> {
    const { store, clock } = this.#deps;
    if (runner.again) return { course: undefined };
    const notBefore = await store.nextNotBefore(endpoint, clock.now());
    if (runner.again) return { course: undefined };
    if (notBefore !== undefined) return { pauseMs: notBefore - clock.now() };
    this.#expected.delete(endpoint);
    return { pauseMs: undefined };
  }

  /** What a newer operation takes the place of, and what does not fit any more, ends here. */
  async #newCourse(queued: readonly Operation[], registration: Registration): Promise<Course> {
    const wakeUp = await this.#planner.prepare(queued, registration);
    for (const { operation, by } of wakeUp.superseded) {
      await this.#sender.apply([operation], { kind: "cancel", detail: `superseded by operation ${by}` });
    }
    for (const { operation, refusal } of wakeUp.unfit) {
      // It fitted when it was created: the device has registered another model since.
      const reason = refusal.reason === "not-in-device-version" ? refusal.reason : "path-not-in-model";
      await this.#sender.apply([operation], { kind: "refuse", reason, detail: refusal.detail });
    }
    return { wakeUp, left: wakeUp.exchanges };
  }

  /** A device that keeps itself awake is let have more then. */
  #untilCountedAnew(registration: Registration): number | undefined {
    const window = this.#planner.window(registration);
    return window === undefined ? undefined : Math.max(1, window.lastAt + window.lengthMs - this.#deps.clock.now());
  }

  async #registrationToCall(endpoint: string): Promise<Registration | Pause> {
    const { owner, store, registrations } = this.#deps;
    // One at a time for a device holds for all processes.
    if (owner.isShared && (await store.inFlightOf(endpoint)).length > 0) return { pauseMs: elsewherePauseMs };
    const registration = await registrations.find(endpoint);
    if (registration === undefined || !owner.isHeld()) return { pauseMs };
    if (owner.isShared && registration.owner !== owner.name && !(await owner.isGone(registration.owner)))
      return { pauseMs: elsewherePauseMs };
    return registration;
  }

  /** Only one runner of this process works for a device, so what is under way in its name is what an earlier one could not finish. */
  async #settle(endpoint: string): Promise<void> {
    const { store, owner } = this.#deps;
    for (const operation of await store.inFlightOf(endpoint)) {
      if (operation.claim?.owner !== owner.name && !(await owner.isGone(operation.claim?.owner))) continue;
      await this.#sender.apply([operation], { kind: "interrupt", attempt: undefined, detail: "the store failed while it was under way" });
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
}
