/** The body of createOperation: its schema, and what a schema cannot say plainly. Pure. */
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema } from "../http/route.ts";
import type { OperationKind, OperationRequest } from "./operation.ts";

export const attributesSchema: JsonSchema = {
  type: "object",
  description: "pmin, pmax, gt, lt, st, epmin, epmax; null removes one",
  additionalProperties: { type: ["number", "null"] },
};

/** What a kind takes beside the path and the fields that all take. */
const fieldsOfKind: { readonly [kind in OperationKind]: readonly (keyof OperationRequest)[] } = {
  read: [],
  write: ["value", "mode"],
  writeAttributes: ["attributes"],
  execute: ["arguments", "retryExecute"],
  create: ["value", "instanceId"],
  delete: [],
  discover: [],
  observe: ["attributes"],
  cancelObserve: [],
};

const sharedFields: readonly (keyof OperationRequest)[] = ["kind", "path", "onOffline", "notBefore", "expiresAt", "supersedeKey"];

export const operationRequestSchema: JsonSchema = {
  type: "object",
  required: ["kind", "path"],
  additionalProperties: false,
  properties: {
    kind: { enum: Object.keys(fieldsOfKind) },
    path: { type: "string", minLength: 1, maxLength: 256, description: "/3/0/9 or device/0/batteryLevel" },
    value: {
      description: "write: the value of a resource, or of an instance by resource id or name; create: the new instance, default empty",
    },
    mode: { enum: ["replace", "update"], description: "write of an instance: replace it (default) or update what is named" },
    instanceId: { type: "integer", minimum: 0, maximum: 65_534, description: "create: without one the device chooses" },
    arguments: { type: "string", maxLength: 1_024, description: "execute: 0='U',1" },
    attributes: { ...attributesSchema, description: `writeAttributes, observe: ${attributesSchema["description"]}` },
    onOffline: { enum: ["queue", "fail"], description: "for a device that is asleep; default queue" },
    retryExecute: { type: "boolean", description: "execute: send again when nothing tells whether it ran" },
    notBefore: { type: "string", format: "date-time" },
    expiresAt: { type: "string", format: "date-time", description: "default: in 7 days" },
    supersedeKey: { type: "string", minLength: 1, maxLength: 128, description: "a newer operation with the same key cancels the older" },
  },
};

export type RequestReading = { readonly ok: true; readonly request: OperationRequest } | { readonly ok: false; readonly problem: Problem };

/** `body` fits the schema. A field that the kind does not take is refused: ignoring it would do something else than was asked for. */
export function readOperationRequest(body: unknown): RequestReading {
  const { notBefore, expiresAt, ...plain } = body as OperationRequest & { readonly notBefore?: string; readonly expiresAt?: string };
  const { kind } = plain;
  const taken = fieldsOfKind[kind];
  const foreign = Object.keys(plain).filter((field) => ![...sharedFields, ...taken].some((known) => known === field));
  if (foreign.length > 0) {
    const detail = `${kind} does not take it`;
    const errors = foreign.map((field) => ({ pointer: `/${field}`, detail }));
    return { ok: false, problem: { type: "bad-request", detail: `/${foreign[0]}: ${detail}`, errors } };
  }
  const value = kind === "create" && plain.value === undefined ? { value: {} } : {};
  return {
    ok: true,
    request: {
      ...plain,
      ...value,
      ...(notBefore === undefined ? {} : { notBefore: instantOf(notBefore) }),
      ...(expiresAt === undefined ? {} : { expiresAt: instantOf(expiresAt) }),
    },
  };
}

/** An operation that could never be sent. */
export function findTimeFault({ notBefore, expiresAt }: OperationRequest, nowMs: number): Problem | undefined {
  if (expiresAt === undefined) return undefined;
  const detail = expiresAt <= nowMs ? "is past already" : "is not after notBefore: the operation could never be sent";
  if (expiresAt > nowMs && (notBefore === undefined || notBefore < expiresAt)) return undefined;
  return { type: "bad-request", detail: `/expiresAt: ${detail}`, errors: [{ pointer: "/expiresAt", detail }] };
}

/** The schema has checked the form. */
function instantOf(text: string): number {
  const epochMs = findInstant(text);
  if (epochMs === undefined) throw new Error(`the schema let ${JSON.stringify(text)} pass as an instant`);
  return epochMs;
}
