/** The operation as REST shows it: instants as text, what waits and until when; and its failure as a problem. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Problem, ProblemType } from "../http/problem.ts";
import type { JsonSchema } from "../http/route.ts";
import { outlookProperties } from "../outlook/outlook-view.ts";
import type { Json } from "../storage/collection.ts";
import type { JsonObject } from "../storage/json-object.ts";
import { type Operation, type OperationReason, type OperationResult, usualPriority } from "./operation.ts";

const instantOrNull: JsonSchema = { type: ["string", "null"], format: "date-time" };

const resultSchema: JsonSchema = {
  type: ["object", "null"],
  required: ["kind"],
  properties: {
    kind: { enum: ["values", "created", "links", "done"] },
    values: { type: "array", items: { type: "object" } },
    missing: { type: "array", items: { type: "string" }, description: "of a composite operation: paths the device says nothing of" },
    path: { type: "string", description: "of the instance that was created, of several the first" },
    paths: { type: "array", items: { type: "string" }, description: "of several instances created at once, all of them" },
    links: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "attributes", "attached", "effective"],
        properties: {
          path: { type: "string" },
          name: { type: "string" },
          attributes: { type: "object", description: "as the device wrote them" },
          attached: {
            type: "object",
            required: ["notification"],
            description: "what is attached to this path: notification attributes, dimension, version, shortServerId, serverUri",
          },
          effective: { type: "object", description: "the notification attributes that hold here, inherited ones included" },
        },
      },
    },
  },
};

export const operationSchema: JsonSchema = {
  type: "object",
  required: ["id", "endpoint", "kind", "path", "status", "reason", "result", "attempts", "queuedAt", "expiresAt", "finishedAt"],
  properties: {
    id: { type: "string", description: "a ULID: sorts by creation" },
    endpoint: { type: "string" },
    kind: { type: "string" },
    priority: { type: "integer", description: "0 to 9, the higher first" },
    path: { type: "string", description: "/3/0/9; / of a composite operation" },
    paths: { type: "array", items: { type: "string" }, description: "of a composite operation" },
    name: { type: "string", description: "device/0/batteryLevel, where a model knows the path" },
    hidesValues: { const: true, description: "values of resources that nobody can read are left out" },
    status: { enum: ["queued", "leased", "sent", "succeeded", "failed", "expired", "cancelled"] },
    reason: { type: ["string", "null"] },
    detail: { type: ["string", "null"] },
    coapCode: { type: ["string", "null"], description: "the device's answer, 2.05" },
    result: resultSchema,
    attempts: { type: "array", items: { type: "object" } },
    queuedAt: { type: "string", format: "date-time" },
    expiresAt: { type: "string", format: "date-time" },
    sentAt: instantOrNull,
    finishedAt: instantOrNull,
    awake: { type: "boolean", description: "of an operation that is not final: whether the device is awake" },
    nextExpectedContact: instantOrNull,
    ...outlookProperties,
  },
};

/** `outlook`: of one that is not final. */
export function operationView(operation: Operation, name: string | undefined, outlook?: JsonObject): JsonObject {
  const { _id, endpoint, kind, path, outbox, hasOutbox, open, rev, claim, maxInterruptions, ...state } = operation;
  const { attempts, result, queuedAt, expiresAt, sentAt, finishedAt, notBefore, ...plain } = state;
  return {
    id: _id,
    endpoint,
    kind,
    path,
    ...(name === undefined ? {} : { name }),
    priority: usualPriority,
    ...(plain as JsonObject),
    result: result === null ? null : resultView(result),
    attempts: attempts.map(({ at, ...attempt }) => ({ at: formatInstant(at), ...attempt })),
    queuedAt: formatInstant(queuedAt),
    ...(notBefore === undefined ? {} : { notBefore: formatInstant(notBefore) }),
    expiresAt: formatInstant(expiresAt),
    sentAt: sentAt === null ? null : formatInstant(sentAt),
    finishedAt: finishedAt === null ? null : formatInstant(finishedAt),
    ...(open ? outlook : {}),
  };
}

function resultView(result: OperationResult): Json {
  if (result.kind !== "values") return { ...result } as Json;
  return {
    ...result,
    values: result.values.map(({ timeMs, ...value }) => ({ ...value, ...(timeMs === undefined ? {} : { time: formatInstant(timeMs) }) })),
  };
}

const problemOf: { readonly [reason in OperationReason]: ProblemType } = {
  "device-rejected": "device-rejected",
  "invalid-response": "device-rejected",
  "no-answer": "operation-timeout",
  "response-timeout": "operation-timeout",
  reset: "operation-timeout",
  "outcome-unknown": "operation-timeout",
  "not-registered": "device-unreachable",
  "device-unreachable": "device-unreachable",
  "path-not-in-model": "path-not-in-model",
  "not-in-device-version": "not-in-device-version",
  "not-observing": "conflict",
};

/** Undefined while the operation may still succeed, and when it did. */
export function operationProblem(operation: Operation): Problem | undefined {
  const { status, reason, coapCode, _id, kind, path } = operation;
  if (operation.open || status === "succeeded") return undefined;
  const type = reason === null ? (status === "expired" ? "operation-timeout" : "conflict") : problemOf[reason];
  const why = operation.detail ?? (coapCode === null ? (reason ?? status) : `the device answered ${coapCode}`);
  return { type, detail: `${kind} ${path}: ${why} (operation ${_id})`, ...(coapCode === null ? {} : { coapCode }) };
}
