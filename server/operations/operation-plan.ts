/** An operation as the CoAP request that carries it out (LwM2M Core 1.1 §6.3–6.4), or why it cannot be one. */
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Registration } from "../registration/registration.ts";
import type { CreateRefusal } from "./operation.ts";

export interface OperationPlan {
  /** What the request acts on; several of a composite operation. */
  readonly paths: readonly CompositePath[];
  /** Must succeed, one after the other, before the request leaves: attributes of an observation (LwM2M Core 1.1 §6.4.1). */
  readonly before?: readonly OutgoingRequest[];
  readonly request: OutgoingRequest;
  /** What the payload was made of: to say the same in another format. */
  readonly body?: PlanBody;
  /** What a success writes. */
  readonly written: readonly PathValue[];
  /** What a success removes, unless it is written. */
  readonly removed: readonly Lwm2mPath[];
  /** The same in plain operations, for a device that takes no composite ones; only where it comes to the same. */
  readonly oneByOne?: readonly OperationPlan[];
  /** The same in another way, when the device refuses what the query says. */
  readonly otherwise?: OperationPlan;
}

export interface PlanBody {
  /** What a device that refused a format is remembered by: it may read other formats in a FETCH than in a Write. */
  readonly use: "values" | "paths" | "patch";
  /** Those to try, the best first. */
  readonly formats: readonly number[];
  /** Throws `Lwm2mFormatError` for a format that cannot carry it. */
  encode(contentFormat: number): Uint8Array;
}

export type PlanOutcome = { readonly ok: true; readonly plan: OperationPlan } | { readonly ok: false; readonly refusal: CreateRefusal };

/** What the plan takes from the registration. */
export type PlanTarget = Pick<Registration, "objects" | "lwm2mVersion" | "contentFormats" | "rootPath">;

/** A device that never registered is taken for a 1.1 client with any object: what does not fit is found out when it has. */
export const unseenTarget: PlanTarget = { objects: [], lwm2mVersion: "1.1", contentFormats: [], rootPath: "" };

/** The path of an operation on one. */
export function onlyPath({ paths }: Pick<OperationPlan, "paths">): Lwm2mPath {
  const [path] = paths;
  if (path === undefined || path === "/" || paths.length > 1) throw new Error("the plan is for a single path");
  return path;
}

/** In the first format that can carry it, undefined when none can. */
export function findEncoding({ formats, encode }: PlanBody): { readonly contentFormat: number; readonly payload: Uint8Array } | undefined {
  for (const contentFormat of formats) {
    try {
      return { contentFormat, payload: encode(contentFormat) };
    } catch (error) {
      if (!(error instanceof Lwm2mFormatError)) throw error;
    }
  }
  return undefined;
}

export function rootOf({ rootPath }: Pick<PlanTarget, "rootPath">): string {
  return rootPath === "" ? "" : `/${rootPath}`;
}

export function refuse(reason: "path-not-in-model" | "operation-not-allowed" | "not-in-device-version", detail: string): PlanOutcome {
  return { ok: false, refusal: { reason, detail } };
}

export function refuseValue(detail: string, pointer: string): PlanOutcome {
  return { ok: false, refusal: { reason: "value-type-mismatch", detail, pointer } };
}
