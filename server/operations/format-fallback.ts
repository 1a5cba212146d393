/**
 * What a device registers says little of the formats it reads and writes; what it refuses says more. A refused request was not
 * carried out, so it is put again in another format, and what the device took is remembered for its next ones.
 *
 *   read, observe, discover: asked with Accept --4.06 | 4.15 | 4.02--> asked without: the device chooses (LwM2M Core 1.1 §7.4)
 *   write, create: sent in the best format --4.15 | 4.06--> the next one that can carry the values --...--> the refusal stands
 *   composite: its list or patch --4.15--> in the next format; its Accept --4.06 | 4.02--> without
 *              --4.04 | 4.05 | 4.15 | 5.01--> one by one, where that comes to the same (`single-requests.ts`)
 */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { MergedForm } from "../planning/waiting.ts";
import type { Registration } from "../registration/registration.ts";
import type { ExchangeOutcome } from "./exchange-outcome.ts";
import type { OperationPlan, PlanBody } from "./operation-plan.ts";

/** An unknown Accept is a critical option the device cannot read: 4.02 (RFC 7252 §5.4.1). */
const refusalsOfAccept: ReadonlySet<number> = new Set([
  ResponseCode.notAcceptable,
  ResponseCode.unsupportedContentFormat,
  ResponseCode.badOption,
]);
const refusalsOfPayload: ReadonlySet<number> = new Set([ResponseCode.notAcceptable, ResponseCode.unsupportedContentFormat]);
/** What devices without FETCH and iPATCH answer on the root, and those that speak none of the formats. */
const refusalsOfComposite: ReadonlySet<number> = new Set([
  ResponseCode.notFound,
  ResponseCode.methodNotAllowed,
  ResponseCode.unsupportedContentFormat,
  ResponseCode.notImplemented,
]);

/**
 * What a device without a form answers to several operations in it, and one that has no room for them. Other refusals (4.01, 4.04) are of
 * one of the operations, but 4.04 to a list of paths, which conforming clients never answer (LwM2M Core 1.1 §6.3.8).
 */
const refusalsOfForm: ReadonlySet<number> = new Set([
  ResponseCode.badRequest,
  ResponseCode.badOption,
  ResponseCode.methodNotAllowed,
  ResponseCode.notAcceptable,
  ResponseCode.requestEntityTooLarge,
  ResponseCode.unsupportedContentFormat,
  ResponseCode.notImplemented,
]);

type Use = PlanBody["use"] | "none";

interface Taken {
  /** Of which registration: another firmware may read other formats. */
  readonly locationId: string;
  /** Requests, by what their body is, whose Accept the device refused. */
  readonly withoutAccept: ReadonlySet<Use>;
  readonly contentFormats: ReadonlyMap<Use, number>;
  readonly composite: boolean;
  /** In which several operations together were refused. */
  readonly refusedForms: ReadonlySet<MergedForm>;
}

export type FormatTarget = Pick<Registration, "_id" | "locationId" | "lwm2mVersion">;

export interface SentPlan {
  /** As it was sent last. */
  readonly plan: OperationPlan;
  readonly outcome: ExchangeOutcome;
}

export class FormatFallback {
  /** Only devices that refused something once. */
  readonly #taken = new Map<string, Taken>();

  /** Sends the plan, and again in other formats as long as the device refuses the format and there is another. */
  async send(first: OperationPlan, target: FormatTarget, send: (plan: OperationPlan) => Promise<ExchangeOutcome>): Promise<SentPlan> {
    let plan = this.#remembered(first, target);
    const left = (first.body?.formats ?? []).filter((format) => format !== plan.request.contentFormat);
    for (;;) {
      const outcome = await send(plan);
      const next = outcome.ok ? otherPlan(plan, outcome.response.code, left) : undefined;
      if (next === undefined) {
        if (outcome.ok && outcome.response.code >> 5 === 2) this.#note(plan, first, target);
        return { plan, outcome };
      }
      // What had to succeed before has: the refusal was of the request itself.
      const { before: _, ...again } = next;
      plan = again;
    }
  }

  /** Whether composite requests may be sent: LwM2M 1.0 has none, and the device has not refused one. */
  takesComposite(target: FormatTarget): boolean {
    return target.lwm2mVersion !== "1.0" && this.#known(target).composite;
  }

  /**
   * True when the answer says that the device takes no composite requests. Remembered of a list of paths only: a patch is refused for
   * what is in it as well, and 4.04 may come from a device that has none of the paths.
   */
  noteRefusal(code: number, plan: OperationPlan, target: FormatTarget): boolean {
    if (!refusalsOfComposite.has(code)) return false;
    if (useOf(plan) === "paths" && code !== ResponseCode.notFound)
      this.#taken.set(target._id, { ...this.#known(target), composite: false });
    return true;
  }

  /** Whether several operations may go in one request of this form. */
  takesTogether(form: MergedForm, target: FormatTarget): boolean {
    const isComposite = form === "readComposite" || form === "writeComposite";
    return !this.#known(target).refusedForms.has(form) && (!isComposite || this.takesComposite(target));
  }

  /** The device refused several operations in one request: each goes by itself now, and with some answers all later ones do. */
  noteTogetherRefused(form: MergedForm, code: number, target: FormatTarget): void {
    if (!refusalsOfForm.has(code) && !(form === "readComposite" && code === ResponseCode.notFound)) return;
    this.noteUnfit(form, target);
  }

  /** No more requests of this form until the device registers anew. */
  noteUnfit(form: MergedForm, target: FormatTarget): void {
    const known = this.#known(target);
    this.#taken.set(target._id, { ...known, refusedForms: new Set([...known.refusedForms, form]) });
  }

  forget(endpoint: string): void {
    this.#taken.delete(endpoint);
  }

  #known({ _id, locationId }: FormatTarget): Taken {
    const taken = this.#taken.get(_id);
    if (taken?.locationId === locationId) return taken;
    return { locationId, withoutAccept: new Set(), contentFormats: new Map(), composite: true, refusedForms: new Set() };
  }

  #remembered(plan: OperationPlan, target: FormatTarget): OperationPlan {
    const { withoutAccept, contentFormats } = this.#known(target);
    const use = useOf(plan);
    const asked = withoutAccept.has(use) ? unaccepted(plan) : plan;
    const contentFormat = contentFormats.get(use);
    return contentFormat === undefined ? asked : (inFormat(asked, contentFormat) ?? asked);
  }

  #note(plan: OperationPlan, first: OperationPlan, target: FormatTarget): void {
    const lostAccept = first.request.accept !== undefined && plan.request.accept === undefined;
    const changedFormat = plan.request.contentFormat !== first.request.contentFormat ? plan.request.contentFormat : undefined;
    if (!lostAccept && changedFormat === undefined) return;
    const known = this.#known(target);
    const use = useOf(plan);
    this.#taken.set(target._id, {
      ...known,
      withoutAccept: lostAccept ? new Set([...known.withoutAccept, use]) : known.withoutAccept,
      contentFormats: changedFormat === undefined ? known.contentFormats : new Map([...known.contentFormats, [use, changedFormat]]),
    });
  }
}

function useOf({ body }: OperationPlan): Use {
  return body?.use ?? "none";
}

/** Takes from `left` what it tries. */
function otherPlan(plan: OperationPlan, code: number, left: number[]): OperationPlan | undefined {
  const accepting = plan.request.accept !== undefined;
  // 4.06 is of the Accept where there is one, 4.15 of the body where there is one.
  const ofBody = plan.body !== undefined && refusalsOfPayload.has(code) && (!accepting || code === ResponseCode.unsupportedContentFormat);
  for (let format = ofBody ? left.shift() : undefined; format !== undefined; format = left.shift()) {
    const other = inFormat(plan, format);
    if (other !== undefined) return other;
  }
  return accepting && refusalsOfAccept.has(code) ? unaccepted(plan) : undefined;
}

function unaccepted(plan: OperationPlan): OperationPlan {
  const { accept: _, ...request } = plan.request;
  return { ...plan, request, ...(plan.otherwise === undefined ? {} : { otherwise: unaccepted(plan.otherwise) }) };
}

/** Undefined where the format cannot carry the body, and where it has none. */
function inFormat(plan: OperationPlan, contentFormat: number): OperationPlan | undefined {
  if (plan.body === undefined) return undefined;
  try {
    return { ...plan, request: { ...plan.request, contentFormat, payload: plan.body.encode(contentFormat) } };
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}
