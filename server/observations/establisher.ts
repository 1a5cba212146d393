/**
 * Brings each device to what is wished of it, one step at a time: looks at what is wished and what is held, does the next thing, looks
 * again. Every look starts from the store, so a crash between two steps loses nothing and repeats only what does no harm. What is asked
 * of devices is paced over the fleet; at one device one exchange is in the air.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Operation, OperationRequest } from "../operations/operation.ts";
import type { OperationService } from "../operations/operation-service.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Supervisor } from "../supervisor.ts";
import { type DevicePlan, requestFor, retryAfterMs, type Step } from "./device-wishes.ts";
import { type Observation, targetOf } from "./observation.ts";
import { observationDraft } from "./observation-events.ts";
import type { ObservationService } from "./observation-service.ts";
import type { ObservationStore } from "./observation-store.ts";
import { Pace } from "./pace.ts";
import { actor } from "./relation-news.ts";

export interface EstablisherDeps {
  readonly store: ObservationStore;
  readonly observations: ObservationService;
  readonly operations: OperationService;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly owner: ProcessOwner;
  readonly look: (endpoint: string) => Promise<Look>;
  /** Stores how the wishes stand. */
  readonly settle: (look: Look) => Promise<void>;
  readonly askedPerSecond: number;
}

export interface Look extends DevicePlan {
  readonly observations: readonly Observation[];
  readonly lwm2mVersion: string;
  readonly isAwake: boolean;
}

export interface EstablisherCounters {
  /** Requests made, and what became of them. */
  readonly asked: number;
  readonly granted: number;
  readonly refused: number;
  readonly unanswered: number;
  /** Relations ended because nobody wishes them, or with other attributes. */
  readonly released: number;
  /** Devices that wait for their turn by the pace. */
  readonly waiting: number;
}

/** Devices looked at side by side: each look is a few reads. */
const looksAtOnce = 32;
/** After a failure of the store. */
const againMs = 10_000;
/** What is over is removed once its event is told. */
const removalMs = 1_000;
const traceIdBytes = 16;
/** An attempt that an operation asks for is one: another comes by a look of our own. */
const maxInterruptions = 1;

export class Establisher {
  readonly #deps: EstablisherDeps;
  readonly #pace: Pace;
  /** Devices to be looked at, in order. */
  readonly #due = new Set<string>();
  /** Being looked at; true: again afterwards. */
  readonly #running = new Map<string, boolean>();
  readonly #timers = new Map<string, Timer>();
  /** Devices that something waits for: a contact of any other costs no look. */
  readonly #expected = new Set<string>();
  readonly #counted = { asked: 0, granted: 0, refused: 0, unanswered: 0, released: 0 };
  #closed = false;

  constructor(deps: EstablisherDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps.clock, deps.askedPerSecond);
    deps.operations.onFinished(({ createdBy, kind, endpoint, status }) => {
      if (createdBy !== actor || (kind !== "observe" && kind !== "observeComposite")) return;
      if (status === "succeeded") this.#counted.granted += 1;
      this.kick(endpoint);
    });
  }

  counters(): EstablisherCounters {
    return { ...this.#counted, waiting: this.#pace.waiting };
  }

  /** Something may have changed at the device. */
  kick(endpoint: string): void {
    if (this.#closed) return;
    if (this.#running.has(endpoint)) this.#running.set(endpoint, true);
    else this.#due.add(endpoint);
    this.#serve();
  }

  /** It was heard. */
  noteContact(endpoint: string): void {
    if (this.#expected.has(endpoint)) this.kick(endpoint);
  }

  forget(endpoint: string): void {
    this.#due.delete(endpoint);
    this.#expected.delete(endpoint);
    this.#disarm(endpoint);
  }

  close(): void {
    this.#closed = true;
    this.#pace.close();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #serve(): void {
    for (const endpoint of this.#due) {
      if (this.#running.size >= looksAtOnce) return;
      this.#due.delete(endpoint);
      this.#running.set(endpoint, false);
      this.#disarm(endpoint);
      const work = this.#run(endpoint)
        .catch((error: unknown) => {
          this.#arm(endpoint, againMs);
          throw error;
        })
        .finally(() => {
          const again = this.#running.get(endpoint);
          this.#running.delete(endpoint);
          if (again === true) this.kick(endpoint);
          else if (!this.#closed) this.#serve();
        });
      this.#deps.supervisor.run(work, `observe what is wished of ${endpoint}`);
    }
  }

  async #run(endpoint: string): Promise<void> {
    let hasTurn = false;
    while (!this.#closed) {
      this.#running.set(endpoint, false);
      if (await this.#settleAsked(endpoint)) continue;
      const look = await this.#deps.look(endpoint);
      await this.#deps.settle(look);
      const { step, nextAt, expects, isAwake } = look;
      if (expects && !isAwake) this.#expected.add(endpoint);
      else this.#expected.delete(endpoint);
      if (step === undefined) {
        if (nextAt !== undefined) this.#arm(endpoint, nextAt - this.#deps.clock.now());
        return;
      }
      if (step.kind === "ask" && !hasTurn) {
        // What is true now may not be when its turn has come.
        await this.#pace.turn();
        hasTurn = true;
        continue;
      }
      if (!(await this.#take(step, look))) return;
      hasTurn = false;
    }
  }

  /** False: what follows comes by itself, or later. */
  async #take(step: Step, look: Look): Promise<boolean> {
    const { observations, operations, store, owner } = this.#deps;
    switch (step.kind) {
      case "ask":
        if (!owner.isHeld()) {
          this.#arm(step.wish.endpoint, againMs);
          return false;
        }
        await this.#ask(step, look.lwm2mVersion);
        return true;
      case "cancel": {
        this.#counted.released += 1;
        await observations.release(step.present, look.isAwake, isWished(look, step.present));
        return true;
      }
      case "remove":
        if (await store.remove(step.present)) return true;
        this.#arm(step.present.endpoint, removalMs);
        return false;
      case "withdraw":
        // In the air it is not withdrawn: what follows is decided at its end.
        return (await operations.cancel(step.present.asking?.operationId ?? "", "no standing observation wishes it any more")).ok;
    }
  }

  async #ask({ wish, present }: Step & { kind: "ask" }, lwm2mVersion: string): Promise<void> {
    const { clock, operations, random, store } = this.#deps;
    const operationId = operations.newId();
    if (!(await store.ask(wish, present, { operationId, at: clock.now() }))) return;
    this.#counted.asked += 1;
    const request: OperationRequest = { ...requestFor(wish, present, lwm2mVersion), maxInterruptions };
    const traceId = Buffer.from(random.bytes(traceIdBytes)).toString("hex");
    const outcome = await operations.create(wish.endpoint, request, { actor, traceId, id: operationId });
    if (outcome.ok) return;
    const asked = await store.find(wish._id);
    if (asked !== undefined) await this.#refuse(asked, { ...noAnswer, reason: outcome.refusal.reason, detail: outcome.refusal.detail });
  }

  /** True: a request that was recorded has come to its end, and that is stored now. */
  async #settleAsked(endpoint: string): Promise<boolean> {
    const { operations, store } = this.#deps;
    let settled = false;
    for (const observation of await store.ofDevice(endpoint)) {
      if (!observation.asking) continue;
      const operation = await operations.find(observation.asking.operationId);
      if (operation?.open === true) continue;
      // Recorded, and the process ended before it was made.
      if (operation === undefined) await store.refuse(observation, { state: "waiting", refusal: null, failures: 0 }, []);
      else await this.#refuse(observation, operation);
      settled = true;
    }
    return settled;
  }

  async #refuse(observation: Observation, operation: AskedInVain): Promise<void> {
    const { clock, store } = this.#deps;
    const isRefusal = refusals.has(operation.reason ?? "");
    const state = isRefusal ? "refused" : "waiting";
    const failures = (observation.failures ?? 0) + 1;
    const nowMs = clock.now();
    const at = operation.attempts.at(-1)?.at ?? nowMs;
    const retryAt = nowMs + retryAfterMs(state, failures);
    const refusal = { reason: operation.reason ?? operation.status, coapCode: operation.coapCode, detail: operation.detail, at, retryAt };
    const { endpoint, _id, rev } = observation;
    const told = { reason: refusal.reason, coapCode: refusal.coapCode, detail: refusal.detail };
    const moment = { endpoint, target: targetOf(observation), step: String(rev), timeMs: nowMs };
    const events = isRefusal ? [observationDraft("observation.refused", moment, told)] : [];
    // One that was granted is active already, and keeps nothing of this.
    if (!(await store.refuse(observation, { state, refusal, failures }, events))) return;
    this.#counted[isRefusal ? "refused" : "unanswered"] += 1;
    if (!isRefusal) return;
    // It may have been held still, though silent.
    await this.#deps.observations.drop(_id);
  }

  #arm(endpoint: string, delayMs: number): void {
    if (this.#closed) return;
    this.#disarm(endpoint);
    const timer = this.#deps.clock.after(Math.max(0, delayMs), () => {
      this.#timers.delete(endpoint);
      this.kick(endpoint);
    });
    this.#timers.set(endpoint, timer);
  }

  #disarm(endpoint: string): void {
    this.#timers.get(endpoint)?.cancel();
    this.#timers.delete(endpoint);
  }
}

type AskedInVain = Pick<Operation, "status" | "coapCode" | "detail" | "attempts"> & { readonly reason: string | null };

/** The device heard it and said no; anything else may be another answer the next time. */
const refusals: ReadonlySet<string> = new Set(["device-rejected", "not-observing", "invalid-response"]);

const noAnswer = { status: "failed", coapCode: null, attempts: [] } as const;

function isWished({ standpoints }: Look, { _id }: Observation): boolean {
  return standpoints.some(({ device, standpoint }) => device.observation === _id && standpoint.state === "pending");
}
