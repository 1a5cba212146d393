/**
 * Takes one update as far as it goes now: what a step decided is stored first, then done. After a crash the stored step is done
 * again under the same operation ids, so the device sees it once.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { finalStatuses, type Operation, type Operations } from "../operations/operation.ts";
import { ulid } from "../ulid.ts";
import { type FirmwareUpdate, finalStates, type PendingStep, type WaitingFor } from "./update.ts";
import { eventOf, operationCount, requestsOf, type StepAnswer } from "./update-look.ts";
import { step, type UpdateEffect, type UpdateEvent, type UpdateLimits, type UpdateStep } from "./update-machine.ts";
import type { UpdateChange, UpdateStore } from "./update-store.ts";

export interface UpdateRunnerDependencies {
  readonly updates: UpdateStore;
  readonly operations: Operations;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: UpdateLimits;
  /** Where the device fetches the package; undefined while it is not registered. */
  readonly packageUri: (update: FirmwareUpdate) => Promise<string | undefined>;
  /** After each stored change. */
  readonly onChanged: (update: FirmwareUpdate) => void;
}

export interface UpdateRunner {
  /** `hurry`: there is news, so the step is due now. Calls for one update run one after the other. */
  advance(id: string, hurry: boolean): Promise<void>;
}

/** A step that is never waited for ends the chain; more than this in one go is a bug in the machine. */
const maxStepsAtOnce = 20;

export function openUpdateRunner(dependencies: UpdateRunnerDependencies): UpdateRunner {
  const { updates, clock, limits } = dependencies;
  const running = new Map<string, Promise<void>>();

  async function run(id: string, hurry: boolean): Promise<void> {
    let isHurried = hurry;
    for (let steps = 0; steps < maxStepsAtOnce; steps += 1) {
      const update = await updates.find(id);
      if (update === undefined || !update.active) return;
      const event = await nextEvent(update, isHurried);
      if (event === undefined) return;
      await take(update, event);
      isHurried = false;
    }
    throw new Error(`update ${id} did ${maxStepsAtOnce} steps without waiting for anything`);
  }

  /** Undefined: nothing to do before the time in the store. */
  async function nextEvent(update: FirmwareUpdate, hurry: boolean): Promise<UpdateEvent | undefined> {
    const now = clock.now();
    if (update.pending === null) return hurry || now >= update.wakeAt ? { kind: "due" } : undefined;
    const answers = await answersOf(update, update.pending);
    if (answers.every(isFinal)) return eventOf(update.pending.purpose, answers, now);
    // The operation waits for the device; its end calls again. The lease only guards against a lost call.
    if (now >= update.wakeAt) await updates.change(update, { wakeAt: now + limits.leaseMs }, now);
    return undefined;
  }

  async function answersOf(update: FirmwareUpdate, pending: PendingStep): Promise<readonly StepAnswer[]> {
    const requests = requestsOf(update, pending, clock.now());
    const answers: StepAnswer[] = [];
    for (const [index, id] of pending.operationIds.entries()) {
      const request = requests[index];
      if (request === undefined) throw new Error(`update ${update._id}: a ${pending.purpose} step has no operation ${index}`);
      const by = { actor: "firmware", traceId: update.traceId, id };
      const existing = await dependencies.operations.find(id);
      const outcome = existing === undefined ? await dependencies.operations.create(update.endpoint, request, by) : undefined;
      if (existing !== undefined) answers.push({ kind: "operation", operation: existing });
      else if (outcome?.ok) answers.push({ kind: "operation", operation: outcome.operation });
      else if (outcome !== undefined) answers.push({ kind: "refused", refusal: outcome.refusal });
    }
    return answers;
  }

  async function take(update: FirmwareUpdate, event: UpdateEvent): Promise<void> {
    const now = clock.now();
    const decided = step(update, event, limits, now);
    const uri = decided.effect === "offer" ? await dependencies.packageUri(update) : undefined;
    // Gone between the look and the offer: look again at its next contact.
    const taken: UpdateStep = decided.effect === "offer" && uri === undefined ? { ...decided, effect: "look" } : decided;
    const changed = await updates.change(update, changeOf(update, taken, event, uri), now, taken.via);
    if (changed !== undefined) dependencies.onChanged(changed);
  }

  function changeOf(update: FirmwareUpdate, taken: UpdateStep, event: UpdateEvent, uri: string | undefined): UpdateChange {
    const now = clock.now();
    const isFinalState = finalStates.includes(taken.state);
    return {
      state: taken.state,
      wakeAt: taken.wakeAt,
      pending: taken.effect === "none" ? null : pendingOf(taken.effect),
      waitingFor: waitingFor(taken),
      failure: taken.failure ?? null,
      detail: taken.detail ?? null,
      idleLooks: taken.idleLooks ?? update.idleLooks,
      ...(taken.staleResult === undefined ? {} : { staleResult: taken.staleResult }),
      ...(event.kind === "looked" ? { seen: event.seen } : {}),
      ...(taken.effect === "offer"
        ? { packageUri: uri ?? null, attempt: update.attempt + 1, servedBytes: 0, servedAt: null, applies: 0, offerRefusal: null }
        : {}),
      ...(taken.offerRefusal === undefined ? {} : { offerRefusal: taken.offerRefusal }),
      ...(taken.effect === "apply" ? { applies: update.applies + 1 } : {}),
      ...(isFinalState ? { active: false, finishedAt: now } : {}),
    };
  }

  function pendingOf(purpose: Exclude<UpdateEffect, "none">): PendingStep {
    const now = clock.now();
    return { purpose, operationIds: Array.from({ length: operationCount(purpose) }, () => ulid(now, dependencies.random)) };
  }

  return {
    advance(id, hurry): Promise<void> {
      const before = running.get(id) ?? Promise.resolve();
      const turn = before.then(() => run(id, hurry));
      const settled = turn.then(
        () => undefined,
        () => undefined,
      );
      running.set(id, settled);
      return turn.finally(() => {
        if (running.get(id) === settled) running.delete(id);
      });
    },
  };
}

function isFinal(answer: StepAnswer): boolean {
  return answer.kind === "refused" || isFinished(answer.operation);
}

function isFinished(operation: Operation): boolean {
  return finalStatuses.includes(operation.status);
}

function waitingFor(taken: UpdateStep): WaitingFor {
  if (finalStates.includes(taken.state)) return { code: "nothing", text: "The update is over." };
  if (taken.effect !== "none")
    return { code: "answer", text: `The device's answer to a ${effectWords[taken.effect]}; sent when it is awake.` };
  switch (taken.state) {
    case "downloading":
      return { code: "download", text: "The device to fetch the package and to report State 2 (Downloaded)." };
    case "applying":
    case "rebooting":
      return { code: "restart", text: "The device to install the package, restart and register again." };
    case "verifying":
      return { code: "report", text: "The device to report Update Result 1 and the new version." };
    case "retryWait":
      return { code: "retry", text: "The pause before the next attempt." };
    default:
      return { code: "turn", text: "Its turn." };
  }
}

const effectWords = {
  look: "read of its firmware state (/5/0 and /3/0/3)",
  reset: "reset (an empty Package URI)",
  offer: "write of the Package URI (/5/0/1)",
  apply: "Execute of Update (/5/0/2)",
} as const;
