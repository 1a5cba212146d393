/**
 * What a device registers says little of the formats it reads and writes; what it refuses says more. A refused request was not
 * carried out, so it is put again in another format, and what the device took is remembered for its next ones.
 *
 *   read, observe, discover: asked with Accept --4.06 | 4.15 | 4.02--> asked without: the device chooses (LwM2M Core 1.1 §7.4)
 *   write, create: sent in the best format --4.15 | 4.06--> the next one that can carry the values --...--> the refusal stands
 */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { Registration } from "../registration/registration.ts";
import type { ExchangeOutcome } from "./exchange-outcome.ts";
import type { OperationPlan } from "./operation-plan.ts";

/** By what it says of more than one value; the last carry a single one. */
const olderFormats: readonly number[] = [ContentFormat.tlv, ContentFormat.lwm2mJson, ContentFormat.opaque, ContentFormat.text];
const newerFormats: readonly number[] = [
  ContentFormat.senmlCbor,
  ContentFormat.senmlJson,
  ContentFormat.tlv,
  ContentFormat.cbor,
  ContentFormat.opaque,
  ContentFormat.text,
];

/** An unknown Accept is a critical option the device cannot read: 4.02 (RFC 7252 §5.4.1). */
const refusalsOfAccept: ReadonlySet<number> = new Set([
  ResponseCode.notAcceptable,
  ResponseCode.unsupportedContentFormat,
  ResponseCode.badOption,
]);
const refusalsOfPayload: ReadonlySet<number> = new Set([ResponseCode.notAcceptable, ResponseCode.unsupportedContentFormat]);

interface Taken {
  /** Of which registration: another firmware may read other formats. */
  readonly locationId: string;
  readonly withoutAccept: boolean;
  readonly contentFormat: number | undefined;
}

export type FormatTarget = Pick<Registration, "_id" | "locationId" | "lwm2mVersion" | "contentFormats">;

export interface SentPlan {
  /** As it was sent last. */
  readonly plan: OperationPlan;
  readonly outcome: ExchangeOutcome;
}

export class FormatFallback {
  /** Only devices that refused a format once. */
  readonly #taken = new Map<string, Taken>();

  /** Sends the plan, and again in other formats as long as the device refuses the format and there is another. */
  async send(first: OperationPlan, target: FormatTarget, send: (plan: OperationPlan) => Promise<ExchangeOutcome>): Promise<SentPlan> {
    let plan = this.#remembered(first, target);
    const left = formatsFor(target).filter((format) => format !== plan.request.contentFormat);
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

  forget(endpoint: string): void {
    this.#taken.delete(endpoint);
  }

  #remembered(plan: OperationPlan, { _id, locationId }: FormatTarget): OperationPlan {
    const taken = this.#taken.get(_id);
    if (taken?.locationId !== locationId) return plan;
    if (plan.request.accept !== undefined) return taken.withoutAccept ? withoutAccept(plan) : plan;
    return taken.contentFormat === undefined ? plan : (inFormat(plan, taken.contentFormat) ?? plan);
  }

  #note(plan: OperationPlan, first: OperationPlan, { _id, locationId }: FormatTarget): void {
    const lostAccept = first.request.accept !== undefined && plan.request.accept === undefined;
    const changedFormat = plan.request.contentFormat !== first.request.contentFormat;
    if (!lostAccept && !changedFormat) return;
    const before = this.#taken.get(_id);
    const known = before?.locationId === locationId ? before : undefined;
    this.#taken.set(_id, {
      locationId,
      withoutAccept: lostAccept || (known?.withoutAccept ?? false),
      contentFormat: changedFormat ? plan.request.contentFormat : known?.contentFormat,
    });
  }
}

/** What the device advertised comes first. */
function formatsFor({ lwm2mVersion, contentFormats }: FormatTarget): number[] {
  const usual = lwm2mVersion === "1.0" ? olderFormats : newerFormats;
  return [...new Set([...contentFormats.filter((format) => usual.includes(format)), ...usual])];
}

/** Takes from `left` what it tries. */
function otherPlan(plan: OperationPlan, code: number, left: number[]): OperationPlan | undefined {
  if (plan.request.accept !== undefined) return refusalsOfAccept.has(code) ? withoutAccept(plan) : undefined;
  if (plan.encoded === undefined || !refusalsOfPayload.has(code)) return undefined;
  for (let format = left.shift(); format !== undefined; format = left.shift()) {
    const other = inFormat(plan, format);
    if (other !== undefined) return other;
  }
  return undefined;
}

function withoutAccept(plan: OperationPlan): OperationPlan {
  const { accept: _, ...request } = plan.request;
  return { ...plan, request };
}

/** Undefined where the format cannot carry the values. */
function inFormat(plan: OperationPlan, contentFormat: number): OperationPlan | undefined {
  if (plan.encoded === undefined) return undefined;
  const { values, context } = plan.encoded;
  try {
    return { ...plan, request: { ...plan.request, contentFormat, payload: encodePayload(contentFormat, values, context) } };
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}
