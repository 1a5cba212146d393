/** The body of createOperation: its schema, and what a schema cannot say plainly. Pure. */
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema } from "../http/route.ts";
import type { OperationKind, OperationRequest } from "./operation.ts";

export const attributesSchema: JsonSchema = {
  type: "object",
  description:
    "pmin, pmax, gt, lt, st; epmin, epmax since LwM2M 1.1; edge, con, hqmax since 1.2; null removes one. gt, lt, st need a number, edge a Boolean",
  additionalProperties: { type: ["number", "null"] },
};

/** Digits 0 to 9, each once (LwM2M Core 1.2 §6.3.5). */
export const executeArgumentsSchema: JsonSchema = {
  description: 'execute: one by one, [{ "digit": 0, "value": "U" }, { "digit": 1 }], or as the device gets them, 0=\'U\',1',
  oneOf: [
    { type: "string", maxLength: 1_024 },
    {
      type: "array",
      maxItems: 10,
      items: {
        type: "object",
        required: ["digit"],
        additionalProperties: false,
        properties: {
          digit: { type: "integer", minimum: 0, maximum: 9 },
          value: { type: "string", maxLength: 1_024, description: "printable ASCII without space, quotes and backslash" },
        },
      },
    },
  ],
};

export const prioritySchema: JsonSchema = {
  type: "integer",
  minimum: 0,
  maximum: 9,
  description:
    "the higher first, default 5; never before an earlier operation on the same, a containing or a contained path that changes it",
};

/** Paths of one composite operation: the address of its observation names them all. */
const maxCompositePaths = 64;

const pathSchema: JsonSchema = { type: "string", minLength: 1, maxLength: 256 };

/** One request, all of them or none (LwM2M Core 1.1 §6.3.5). */
export const instancesSchema: JsonSchema = {
  type: "object",
  minProperties: 1,
  maxProperties: maxCompositePaths,
  description: "create, in place of value: several instances in one request, all of them or none, by instance id, each as value of one",
};

/** What a kind takes beside the path and the fields that all take. */
const fieldsOfKind: { readonly [kind in OperationKind]: readonly (keyof OperationRequest)[] } = {
  read: [],
  write: ["value", "mode"],
  writeAttributes: ["attributes"],
  execute: ["arguments", "retryExecute"],
  create: ["value", "instanceId", "instances"],
  delete: [],
  discover: ["depth"],
  observe: ["attributes"],
  cancelObserve: ["paths"],
  readComposite: ["paths"],
  writeComposite: ["values"],
  observeComposite: ["paths", "attributes"],
};

const sharedFields: readonly (keyof OperationRequest)[] = [
  "kind",
  "path",
  "onOffline",
  "notBefore",
  "expiresAt",
  "supersedeKey",
  "priority",
];

export const operationRequestSchema: JsonSchema = {
  type: "object",
  required: ["kind"],
  additionalProperties: false,
  properties: {
    kind: { enum: Object.keys(fieldsOfKind) },
    path: { ...pathSchema, description: "/3/0/9 or device/0/batteryLevel; all but composite operations need it" },
    paths: {
      type: "array",
      minItems: 1,
      maxItems: maxCompositePaths,
      uniqueItems: true,
      items: pathSchema,
      description: "readComposite, observeComposite, cancelObserve of the latter: what is asked for in one request; / is everything",
    },
    values: {
      type: "object",
      minProperties: 1,
      maxProperties: maxCompositePaths,
      description: "writeComposite: values by path, written together or not at all; null removes a resource instance (LwM2M 1.2)",
    },
    value: {
      description: "write: the value of a resource, or of an instance by resource id or name; create: the new instance, default empty",
    },
    mode: { enum: ["replace", "update"], description: "write of an instance: replace it (default) or update what is named" },
    instanceId: { type: "integer", minimum: 0, maximum: 65_534, description: "create: without one the device chooses" },
    instances: instancesSchema,
    arguments: executeArgumentsSchema,
    depth: {
      type: "integer",
      minimum: 0,
      maximum: 3,
      description: "discover: levels below the path; more than the usual 2 of an object and 1 of the rest since LwM2M 1.2",
    },
    attributes: { ...attributesSchema, description: `writeAttributes, observe: ${attributesSchema["description"]}` },
    onOffline: { enum: ["queue", "fail"], description: "for a device that is asleep; default queue" },
    retryExecute: { type: "boolean", description: "execute: send again when nothing tells whether it ran" },
    notBefore: { type: "string", format: "date-time" },
    expiresAt: { type: "string", format: "date-time", description: "default: 7 days after notBefore, or after now" },
    supersedeKey: { type: "string", minLength: 1, maxLength: 128, description: "a newer operation with the same key cancels the older" },
    priority: prioritySchema,
  },
};

type RequestFields = { readonly [field in keyof OperationRequest]?: unknown } & Pick<OperationRequest, "kind">;

export type RequestReading = { readonly ok: true; readonly request: OperationRequest } | { readonly ok: false; readonly problem: Problem };

type RequestBody = Omit<OperationRequest, "path" | "notBefore" | "expiresAt"> & {
  readonly path?: string;
  readonly notBefore?: string;
  readonly expiresAt?: string;
};

/** `body` fits the schema. A field that the kind does not take is refused: ignoring it would do something else than was asked for. */
export function readOperationRequest(body: unknown): RequestReading {
  const { notBefore, expiresAt, ...plain } = body as RequestBody;
  const { kind } = plain;
  const foreign = findForeignField(plain);
  if (foreign !== undefined) return { ok: false, problem: foreign };
  const unplaced = findMissingPath(plain);
  if (unplaced !== undefined) return { ok: false, problem: unplaced };
  const value = kind === "create" && plain.value === undefined && plain.instances === undefined ? { value: {} } : {};
  return {
    ok: true,
    request: {
      ...plain,
      // What names several paths acts on the root (LwM2M Core 1.1 §6.3.8).
      path: plain.path ?? "/",
      ...value,
      ...(notBefore === undefined ? {} : { notBefore: instantOf(notBefore) }),
      ...(expiresAt === undefined ? {} : { expiresAt: instantOf(expiresAt) }),
    },
  };
}

/** A field that the kind does not take, or not beside another. */
export function findForeignField({ kind, ...fields }: RequestFields): Problem | undefined {
  const taken = fieldsOfKind[kind];
  const foreign = Object.keys(fields).filter((field) => ![...sharedFields, ...taken].some((known) => known === field));
  if (foreign.length > 0) {
    const detail = `${kind} does not take it`;
    const errors = foreign.map((field) => ({ pointer: `/${field}`, detail }));
    return { type: "bad-request", detail: `/${foreign[0]}: ${detail}`, errors };
  }
  const { instances, value, instanceId } = fields;
  if (instances === undefined || (value === undefined && instanceId === undefined)) return undefined;
  return requestFault(value === undefined ? "/instanceId" : "/value", "instances says all of several; one alone goes without it");
}

/** Each kind names one path, several, or values by path. */
function findMissingPath({ kind, path, paths, values }: RequestBody): Problem | undefined {
  const takesValues = kind === "writeComposite";
  const takesPaths = kind === "readComposite" || kind === "observeComposite" || (kind === "cancelObserve" && path === undefined);
  const wanted = takesValues ? "values" : takesPaths ? "paths" : "path";
  const given = { path, paths, values };
  if (given[wanted] === undefined) return requestFault(`/${wanted}`, `${kind} needs it`);
  if (wanted !== "path" && path !== undefined && path !== "/") return requestFault("/path", `${kind} names its paths in ${wanted}`);
  return wanted === "path" && paths !== undefined ? requestFault("/paths", "path names one already") : undefined;
}

export function requestFault(pointer: string, why: string): Problem {
  return { type: "bad-request", detail: `${pointer}: ${why}`, errors: [{ pointer, detail: why }] };
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
