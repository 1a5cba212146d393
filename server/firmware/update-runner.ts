/**
 * Takes one update as far as it goes now: what a step decided is stored first, then done. After a crash the stored step is done
 * again under the same operation ids, so the device sees it once. An update is driven by one process: the owner of its claim.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { finalStatuses, type Operations } from "../operations/operation.ts";
import { nextClaim, type ProcessOwner } from "../storage/process-owner.ts";
import { ulid } from "../ulid.ts";
import { type FirmwareUpdate, finalStates, type PendingStep, type UpdateState } from "./update.ts";
import type { UpdateLimits } from "./update-limits.ts";
import { eventOf, operationCount, requestsOf, type StepAnswer } from "./update-look.ts";
import { step } from "./update-machine.ts";
import { type UpdateEffect, type UpdateEvent, type UpdateStep, wait } from "./update-step.ts";
import type { UpdateChange, UpdateStore } from "./update-store.ts";
import { waitingFor } from "./update-words.ts";

export interface UpdateRunnerDeps {
  readonly updates: UpdateStore;
  readonly operations: Operations;
  readonly owner: ProcessOwner;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: UpdateLimits;
  /** Where the device fetches the package; undefined while it is not registered. */
  readonly packageUri: (update: FirmwareUpdate) => Promise<string | undefined>;
  /** After each stored change. */
  readonly onChanged: (update: FirmwareUpdate) => void;
}

/** A step that is never waited for ends the chain; more than this in one go is a bug in the machine. */
const maxStepsAtOnce = 20;

export class UpdateRunner {
  readonly #deps: UpdateRunnerDeps;
  /** The last turn of each update that has one; none of them rejects. */
  readonly #turns = new Map<string, Promise<void>>();
  #closed = false;

  constructor(deps: UpdateRunnerDeps) {
    this.#deps = deps;
  }

  /** `hurry`: there is news, so the step is due now. */
  advance(id: string, hurry: boolean): Promise<void> {
    return this.inTurn(id, () => this.#run(id, hurry));
  }

  /** Works for one update run one after the other. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(work);
    const settled: Promise<void> = turn.then(
      () => this.#leave(id, settled),
      () => this.#leave(id, settled),
    );
    this.#turns.set(id, settled);
    return turn;
  }

  /** No step begins after this; resolves when those under way are over. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#turns.size > 0) await Promise.all(this.#turns.values());
  }

  #leave(id: string, turn: Promise<void>): void {
    if (this.#turns.get(id) === turn) this.#turns.delete(id);
  }

  async #run(id: string, hurry: boolean): Promise<void> {
    for (let steps = 0; steps < maxStepsAtOnce; steps += 1) {
      if (this.#closed) return;
      const found = await this.#deps.updates.find(id);
      if (found === undefined || !found.active) return;
      const update = await this.#held(found);
      if (update === undefined) return;
      const event = await this.#nextEvent(update, hurry && steps === 0);
      if (event === undefined || this.#closed) return;
      await this.#take(update, event);
    }
    throw new Error(`update ${id} did ${maxStepsAtOnce} steps without waiting for anything`);
  }

  /** The update to go on with; undefined while it is another's. */
  async #held(update: FirmwareUpdate): Promise<FirmwareUpdate | undefined> {
    const { owner, clock, onChanged } = this.#deps;
    // Without others its next change will say whose it is.
    if (!owner.isShared) return update;
    if (!owner.isHeld()) return undefined;
    if (update.claim?.owner === owner.name) return update;
    if (!(await owner.isGone(update.claim?.owner))) return undefined;
    const claimed = await this.#change(update, {}, clock.now());
    if (claimed !== undefined) onChanged(claimed);
    return claimed;
  }

  #change(update: FirmwareUpdate, change: UpdateChange, nowMs: number, via?: UpdateState): Promise<FirmwareUpdate | undefined> {
    const { updates, owner } = this.#deps;
    const claim = update.claim?.owner === owner.name ? {} : { claim: nextClaim(update.claim, owner.name) };
    return updates.change(update, { ...change, ...claim }, nowMs, via);
  }

  /** Undefined: nothing to do before the time in the store. */
  async #nextEvent(update: FirmwareUpdate, hurry: boolean): Promise<UpdateEvent | undefined> {
    const nowMs = this.#deps.clock.now();
    // News does not shorten the pause before another attempt: a device that restarts over and over would have none.
    const isDue = nowMs >= update.wakeAt || (hurry && update.state !== "retryWait");
    if (update.pending === null) return isDue ? { kind: "due" } : undefined;
    const answers = await this.#answersOf(update, update.pending);
    if (answers.every(isFinal)) return eventOf(update.pending.purpose, answers, nowMs);
    if (nowMs >= update.wakeAt) await this.#renewLease(update, nowMs);
    return undefined;
  }

  /** The operation waits for the device; its end calls again. The lease only guards against a lost call. */
  async #renewLease(update: FirmwareUpdate, nowMs: number): Promise<void> {
    const { leaseMs, longestLeaseMs } = this.#deps.limits;
    const leaseFor = Math.min(Math.max(nowMs - update.stateSince, leaseMs), longestLeaseMs);
    const renewed = await this.#change(update, { wakeAt: nowMs + leaseFor }, nowMs);
    if (renewed !== undefined) this.#deps.onChanged(renewed);
  }

  async #answersOf(update: FirmwareUpdate, pending: PendingStep): Promise<readonly StepAnswer[]> {
    const { operations, clock, limits } = this.#deps;
    const requests = requestsOf(update, pending, { nowMs: clock.now(), limits });
    const answers: StepAnswer[] = [];
    for (const [index, id] of pending.operationIds.entries()) {
      const request = requests[index];
      if (request === undefined) throw new Error(`update ${update._id}: a ${pending.purpose} step has no operation ${index}`);
      const existing = await operations.find(id);
      if (existing !== undefined) {
        answers.push({ kind: "operation", operation: existing });
        continue;
      }
      const outcome = await operations.create(update.endpoint, request, { actor: "firmware", traceId: update.traceId, id });
      answers.push(outcome.ok ? { kind: "operation", operation: outcome.operation } : { kind: "refused", refusal: outcome.refusal });
    }
    return answers;
  }

  async #take(update: FirmwareUpdate, event: UpdateEvent): Promise<void> {
    const { clock, limits, packageUri, onChanged } = this.#deps;
    const nowMs = clock.now();
    const decided = step(update, event, limits, nowMs);
    const uri = decided.effect === "offer" ? await packageUri(update) : undefined;
    const taken = decided.effect === "offer" && uri === undefined ? unaddressed(update, limits, nowMs) : decided;
    const changed = await this.#change(update, this.#changeOf(update, taken, uri, nowMs), nowMs, taken.via);
    if (changed !== undefined) onChanged(changed);
  }

  #changeOf(update: FirmwareUpdate, taken: UpdateStep, uri: string | undefined, nowMs: number): UpdateChange {
    const { effect, via: _, failure = null, detail = null, ...stated } = taken;
    return {
      ...stated,
      // The end of the time allowed is told when it comes, not with the next look.
      wakeAt: update.expiresAt > nowMs ? Math.min(stated.wakeAt, update.expiresAt) : stated.wakeAt,
      failure,
      detail,
      pending: effect === "none" ? null : this.#pendingOf(effect, nowMs),
      waitingFor: waitingFor(taken),
      ...(effect === "offer" ? { packageUri: uri ?? null, ...freshOffer(update) } : {}),
      ...(finalStates.includes(taken.state) ? { active: false, finishedAt: nowMs } : {}),
    };
  }

  /** The ids order the queue of the device: those of one step are sent as they stand. */
  #pendingOf(purpose: Exclude<UpdateEffect, "none">, nowMs: number): PendingStep {
    const ids = Array.from({ length: operationCount(purpose) }, (_, index) => ulid(nowMs + index, this.#deps.random));
    return { purpose, operationIds: ids };
  }
}

/** Gone between the look and the offer, or no address of this server is known to lead to it. */
function unaddressed(update: FirmwareUpdate, limits: UpdateLimits, nowMs: number): UpdateStep {
  const state = update.state === "offering" ? "offering" : "preparing";
  return wait({ update, limits, nowMs }, state, "the server knows no address of its own that this device can fetch from");
}

function freshOffer({ state, attempt }: FirmwareUpdate): UpdateChange {
  const next = state === "offering" ? attempt : attempt + 1;
  return { attempt: next, servedBytes: 0, servedAt: null, applies: 0, offerRefusal: null };
}

function isFinal(answer: StepAnswer): boolean {
  return answer.kind === "refused" || finalStatuses.includes(answer.operation.status);
}
