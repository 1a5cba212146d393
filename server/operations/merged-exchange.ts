/** One request that carries several operations, and what its answer means for each: the same as if it had been alone. */
import { isSuccess, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { contains } from "@lwm2m/protocol/lwm2m/path";
import { compositeText } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { MergedForm } from "../planning/waiting.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import { type AnswerContext, type AnswerValues, leftOutSentence, valuesIn } from "./answer-values.ts";
import { failureOf } from "./exchange-failure.ts";
import { attemptOf } from "./exchange-outcome.ts";
import type { FormatFallback } from "./format-fallback.ts";
import { missingOf } from "./missing-paths.ts";
import type { News } from "./news.ts";
import type { Attempt, Operation } from "./operation.ts";
import { readAnswer, resultValues } from "./operation-answer.ts";
import type { ExchangeDeps } from "./operation-exchange.ts";
import type { OperationEvent } from "./operation-machine.ts";
import type { OperationPlan } from "./operation-plan.ts";
import { findPostponement } from "./postponed-answer.ts";

export interface MergedMember {
  /** Claimed. */
  readonly operation: Operation;
  /** By itself. */
  readonly plan: OperationPlan;
}

export interface MergedRequest {
  readonly form: MergedForm;
  readonly members: readonly MergedMember[];
  readonly plan: OperationPlan;
}

interface Answered {
  readonly request: MergedRequest;
  readonly plan: OperationPlan;
  readonly registration: Registration;
  readonly response: IncomingResponse;
  readonly attempt: Attempt;
  readonly context: AnswerContext;
}

const refusedTogether = "refused together with others: asked by itself";
const leftOutTogether = "the answer to several reads said nothing of it: asked by itself";

export class MergedExchange {
  readonly #deps: ExchangeDeps;
  readonly #formats: FormatFallback;

  constructor(deps: ExchangeDeps, formats: FormatFallback) {
    this.#deps = deps;
    this.#formats = formats;
  }

  /** What becomes of each operation, in their order; the news are durable. */
  async carryOut(request: MergedRequest, registration: Registration, signal: AbortSignal): Promise<readonly OperationEvent[]> {
    const { coap, clock, registrations, registry, leniency } = this.#deps;
    const { members } = request;
    const startedAt = clock.now();
    const peer = coap.peerAt(registration.address);
    const control = { signal, againWhenPostponed: !registration.queueMode };
    const { outcome, plan } = await this.#formats.send(request.plan, registration, (variant) =>
      coap.request(peer, variant.request, control),
    );
    const attempt = withMembers(attemptOf(outcome, startedAt), members.length);
    if (!outcome.ok) {
      const event = failureOf(registrations, registration._id, { ...outcome, attempt, signal });
      return members.map(() => event);
    }
    registrations.noteContact(registration._id);
    if (attempt === undefined) throw new Error("an answered request has left");
    const context = { model: deviceModel(registry, registration), nowMs: clock.now(), strict: leniency.strict };
    const answered: Answered = { request, plan, registration, response: outcome.response, attempt, context };
    if (!isSuccess(outcome.response.code)) return this.#refused(answered);
    return request.form === "writeInstance" || request.form === "writeComposite" ? this.#written(answered) : this.#read(answered);
  }

  /** It may be of one operation, or of the way they were put: each is asked by itself. Whose own request this was has its answer. */
  #refused({ request, plan, registration, response, attempt, context }: Answered): readonly OperationEvent[] {
    const isOwn = ({ plan: own }: MergedMember): boolean => request.form === "read" && pathsOf(own) === pathsOf(plan);
    if (!request.members.some(isOwn)) this.#formats.noteTogetherRefused(request.form, response.code, registration);
    return request.members.map((member) => {
      const { operation } = member;
      const later = registration.queueMode ? findPostponement(operation, response, attempt) : undefined;
      if (later !== undefined) return later;
      if (!isOwn(member)) return { kind: "apart", attempt, detail: refusedTogether };
      return { kind: "finish", attempt, ...readAnswer(operation, member.plan, registration, response, context).finish };
    });
  }

  async #written({ request, plan, registration, response, attempt, context }: Answered): Promise<readonly OperationEvent[]> {
    const { finish, news, tolerances } = readAnswer({ ...this.#anyOf(request), kind: "write" }, plan, registration, response, context);
    await this.#take(registration._id, news, tolerances);
    // An answer that breaks the protocol: what was done nobody knows, and a write does no harm twice.
    if (finish.reason !== null) return request.members.map(() => ({ kind: "apart", attempt, detail: refusedTogether }));
    return request.members.map(() => ({ kind: "finish", attempt, ...finish }));
  }

  async #read({ request, plan, registration, response, attempt, context }: Answered): Promise<readonly OperationEvent[]> {
    const read = this.#valuesOf(request, plan, registration, response, context);
    if (read === undefined) return request.members.map(() => ({ kind: "apart", attempt, detail: leftOutTogether }));
    const completeUnder = plan.paths.filter((path) => path !== "/");
    await this.#take(registration._id, { source: "read", values: read.values, completeUnder, receivedAt: context.nowMs }, read.tolerances);
    return request.members.map((member) => ownEvent(member, read, attempt, context));
  }

  #valuesOf(
    { form }: MergedRequest,
    plan: OperationPlan,
    registration: Registration,
    response: IncomingResponse,
    context: AnswerContext,
  ): AnswerValues | undefined {
    // Answered 2.04, say, or with what nobody can read: each of the operations finds out by itself.
    if (response.code !== ResponseCode.content) return undefined;
    try {
      return valuesIn(response, { paths: plan.paths, composite: form === "readComposite" }, registration, context, plan.request.accept);
    } catch (error) {
      if (error instanceof Lwm2mFormatError) return undefined;
      throw error;
    }
  }

  #anyOf({ members }: MergedRequest): Operation {
    const [first] = members;
    if (first === undefined) throw new Error("a merged request carries operations");
    return first.operation;
  }

  async #take(endpoint: string, news: News | undefined, tolerances: readonly string[]): Promise<void> {
    this.#deps.leniency.note(endpoint, "answer", tolerances);
    if (news !== undefined) await this.#deps.learn(endpoint, news);
  }
}

function withMembers(attempt: Attempt | undefined, sharedBy: number): Attempt | undefined {
  return attempt === undefined ? undefined : { ...attempt, sharedBy };
}

function pathsOf({ paths }: OperationPlan): string {
  return paths.map(compositeText).join(" ");
}

/** A Read of what the device has not got is refused, a Read-Composite only leaves it out (LwM2M Core 1.1 §6.3.8). */
function ownEvent({ operation, plan }: MergedMember, read: AnswerValues, attempt: Attempt, { model }: AnswerContext): OperationEvent {
  const isOwn = (path: Parameters<typeof contains>[1]): boolean => plan.paths.some((asked) => asked === "/" || contains(asked, path));
  const values = resultValues(
    read.values.filter(({ path }) => isOwn(path)),
    model,
  );
  const isComposite = operation.kind === "readComposite";
  if (values.length === 0 && !isComposite) return { kind: "apart", attempt, detail: leftOutTogether };
  const detail = leftOutSentence(read.faults.filter(({ path }) => isOwn(path)));
  const missing = isComposite ? missingOf(plan.paths.map(compositeText), values) : {};
  return { kind: "finish", attempt, result: { kind: "values", values, ...missing }, reason: null, coapCode: attempt.outcome, detail };
}
