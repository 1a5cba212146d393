/** One operation in the air: its request, put again where the device wants it otherwise, and what the answer means for it. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { RequestControl } from "@lwm2m/protocol/coap/message";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Leniency } from "../devices/leniency.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { AnswerContext } from "./answer-values.ts";
import { failureOf } from "./exchange-failure.ts";
import { attemptOf, type ExchangeOutcome, isObserving, joinedAttempt } from "./exchange-outcome.ts";
import type { FormatFallback } from "./format-fallback.ts";
import type { Learn } from "./news.ts";
import type { ObservationExchange } from "./observation-exchange.ts";
import type { Attempt, Operation } from "./operation.ts";
import { type Answer, readAnswer } from "./operation-answer.ts";
import type { OperationEvent } from "./operation-machine.ts";
import type { OperationPlan } from "./operation-plan.ts";
import { findPostponement } from "./postponed-answer.ts";
import { joinAnswers, type SingleAnswer } from "./single-requests.ts";

export interface ExchangeDeps {
  readonly registrations: Registrations;
  readonly coap: CoapEndpoint;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly learn: Learn;
  readonly leniency: Leniency;
  readonly observations: () => ObservationExchange | undefined;
}

/** What a device that does not know a query of Observe answers. */
const refusalsOfQuery: ReadonlySet<number> = new Set([ResponseCode.badRequest, ResponseCode.badOption]);

export class OperationExchange {
  readonly #deps: ExchangeDeps;
  readonly #formats: FormatFallback;

  constructor(deps: ExchangeDeps, formats: FormatFallback) {
    this.#deps = deps;
    this.#formats = formats;
  }

  /** What becomes of the operation; its news are durable. */
  async carryOut(operation: Operation, registration: Registration, planned: OperationPlan, signal: AbortSignal): Promise<OperationEvent> {
    if (operation.kind === "cancelObserve") return this.#cancelObservation(operation);
    const { oneByOne } = planned;
    if (oneByOne !== undefined && !this.#formats.takesComposite(registration)) {
      return this.#oneByOne(operation, registration, oneByOne, signal);
    }
    const startedAt = this.#deps.clock.now();
    const send = (variant: OperationPlan): Promise<ExchangeOutcome> =>
      this.#send(operation, registration, variant, { signal, againWhenPostponed: !registration.queueMode });
    const { outcome, plan } = await this.#formats.send(planned, registration, send);
    const attempt = attemptOf(outcome, startedAt);
    if (!outcome.ok) return failureOf(this.#deps.registrations, operation.endpoint, { ...outcome, attempt, signal });
    this.#deps.registrations.noteContact(operation.endpoint);
    // What sleeps in between is not asked by the endpoint, which knows no windows.
    const later = registration.queueMode ? findPostponement(operation, outcome.response, attempt) : undefined;
    if (later !== undefined) return later;
    if (oneByOne !== undefined && this.#formats.noteRefusal(outcome.response.code, plan, registration)) {
      return this.#oneByOne(operation, registration, oneByOne, signal);
    }
    const answer = readAnswer(operation, plan, registration, outcome.response, this.#contextOf(registration));
    await this.#take(operation.endpoint, answer);
    if (operation.kind === "writeAttributes" && answer.finish.reason === null) {
      await this.#deps.observations()?.noteAttributes(registration, operation.path, operation.attributes ?? {});
    }
    const observes = operation.kind === "observe" || operation.kind === "observeComposite";
    if (!observes || answer.finish.reason !== null || isObserving(outcome)) return { kind: "finish", attempt, ...answer.finish };
    const detail = "the device answered with the value, but grants no observation";
    return { kind: "finish", attempt, ...answer.finish, reason: "not-observing", detail };
  }

  #contextOf(registration: Registration): AnswerContext {
    const { registry, clock, leniency } = this.#deps;
    return { model: deviceModel(registry, registration), nowMs: clock.now(), strict: leniency.strict };
  }

  async #take(endpoint: string, { news, tolerances }: Answer): Promise<void> {
    this.#deps.leniency.note(endpoint, "answer", tolerances);
    if (news !== undefined) await this.#deps.learn(endpoint, news);
  }

  /** Only reads, and a write that is the whole of the operation: what is repeated after a crash does no harm. */
  async #oneByOne(
    operation: Operation,
    registration: Registration,
    plans: readonly OperationPlan[],
    signal: AbortSignal,
  ): Promise<OperationEvent> {
    const { clock, coap, registrations } = this.#deps;
    const kind = operation.kind === "writeComposite" ? "write" : "read";
    const answers: SingleAnswer[] = [];
    let attempt: Attempt | undefined;
    for (const each of plans) {
      const startedAt = clock.now();
      const peer = coap.peerAt(registration.address);
      const { plan, outcome } = await this.#formats.send(each, registration, ({ request }) => coap.request(peer, request, { signal }));
      attempt = joinedAttempt(attempt, attemptOf(outcome, startedAt));
      if (!outcome.ok) return failureOf(registrations, operation.endpoint, { ...outcome, attempt, signal });
      registrations.noteContact(operation.endpoint);
      const answer = readAnswer({ ...operation, kind }, plan, registration, outcome.response, this.#contextOf(registration));
      await this.#take(operation.endpoint, answer);
      answers.push({ paths: plan.paths, finish: answer.finish });
    }
    return { kind: "finish", attempt, ...joinAnswers(operation.paths ?? [], answers) };
  }

  async #send(operation: Operation, registration: Registration, plan: OperationPlan, control: RequestControl): Promise<ExchangeOutcome> {
    const { coap, observations } = this.#deps;
    const peer = coap.peerAt(registration.address);
    for (const before of plan.before ?? []) {
      const outcome = await coap.request(peer, before, control);
      if (!outcome.ok || outcome.response.code >> 5 !== 2) return outcome;
    }
    if (operation.kind !== "observe" && operation.kind !== "observeComposite") return coap.request(peer, plan.request, control);
    const exchange = observations();
    if (exchange === undefined) throw new Error("an observe operation needs the observations attached");
    const outcome = await exchange.observe(registration, operation, plan.request, control);
    const isOfQuery = outcome.ok && refusalsOfQuery.has(outcome.response.code);
    return isOfQuery && plan.otherwise !== undefined ? this.#send(operation, registration, plan.otherwise, control) : outcome;
  }

  async #cancelObservation(operation: Operation): Promise<OperationEvent> {
    const outcome = await this.#deps.observations()?.cancel(operation.endpoint, operation);
    const finish = { kind: "finish", attempt: undefined, coapCode: null } as const;
    switch (outcome) {
      case "cancelled":
        return { ...finish, result: { kind: "done" }, reason: null, detail: null };
      case "unanswered":
        return {
          ...finish,
          result: { kind: "done" },
          reason: null,
          detail: "the device did not confirm; its next notification is refused",
        };
      case "not-observing":
      case undefined:
        // An earlier try was interrupted, and says so: it had ended the relation.
        if (operation.detail !== null) return { ...finish, result: { kind: "done" }, reason: null, detail: null };
        return { ...finish, result: null, reason: "not-observing", detail: "the server does not observe this path" };
    }
  }
}
