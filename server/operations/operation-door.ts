/** What every REST address that makes an operation does alike: names resolved, keys honoured, waited for, answered (RFC 7240). */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Problem } from "../http/problem.ts";
import type { Reply, RouteRequest } from "../http/route.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import type { CreateRefusal, Operation, OperationRequest } from "./operation.ts";
import type { OperationService } from "./operation-service.ts";
import { type DeviceOutlook, operationView } from "./operation-view.ts";

export interface OperationDoorDeps {
  readonly operations: OperationService;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly keys: IdempotencyKeys;
  readonly clock: Clock;
}

/** How long an answer is waited for when the caller does not say and the device is awake; an asleep one is never waited for. */
const defaultWaitMs = 10_000;
/** Retry-After of a 202, seconds: soon while the device is awake, never further off than a caller would plan. */
const retryBoundsSeconds = { least: 1, greatest: 3_600 };

/** The operation as it is when the wait is over, or why there is none. */
export type Submitted = { readonly operation: Operation } | { readonly problem: Problem };

export class OperationDoor {
  readonly #deps: OperationDoorDeps;

  constructor(deps: OperationDoorDeps) {
    this.#deps = deps;
  }

  /** `device/0/batteryLevel` or `3/0/9`, with or without a leading slash, in the model the device registered. */
  async findPath(endpoint: string, text: string): Promise<{ readonly path: string } | { readonly problem: Problem }> {
    const last = await this.#deps.registrations.findLast(endpoint);
    const path = deviceModel(this.#deps.registry, last).names.find(text);
    if (path !== undefined) return { path: formatPath(path) };
    return { problem: { type: "path-not-in-model", detail: `${JSON.stringify(text)} is no path, and no name in the object model` } };
  }

  async submit(request: RouteRequest, endpoint: string, wanted: OperationRequest): Promise<Submitted> {
    const { operations, keys } = this.#deps;
    const resolved = await this.findPath(endpoint, wanted.path);
    if ("problem" in resolved) return resolved;
    const operationRequest = { ...wanted, path: resolved.path };
    const key = request.idempotencyKey;
    const id =
      key === undefined ? undefined : await keys.claim(request.actor, key, [endpoint, operationRequest as Json], operations.newId());
    if (id === "mismatch")
      return { problem: { type: "idempotency-mismatch", detail: "this Idempotency-Key came with another request before" } };
    const by = { actor: request.actor, traceId: request.traceId, ...(id === undefined ? {} : { id }) };
    const outcome = await operations.create(endpoint, operationRequest, by);
    if (!outcome.ok) {
      if (key !== undefined) await keys.release(request.actor, key);
      return { problem: refusalProblem(outcome.refusal) };
    }
    const waitMs = request.preferWaitMs ?? (this.#deps.registrations.isAwake(endpoint) ? defaultWaitMs : 0);
    if (waitMs === 0) return { operation: outcome.operation };
    const waited = await operations.waitFor(outcome.operation._id, waitMs, request.signal);
    return { operation: waited ?? outcome.operation };
  }

  /** 200 with a final operation, 202 with one that goes on. */
  async reply(operation: Operation): Promise<Reply> {
    if (!operation.open) return { status: 200, body: this.view(operation) };
    const outlook = await this.outlook(operation.endpoint);
    const { least, greatest } = retryBoundsSeconds;
    const waitMs = outlook.awake ? 0 : (outlook.nextExpectedContact ?? this.#deps.clock.now()) - this.#deps.clock.now();
    const retrySeconds = Math.min(greatest, Math.max(least, Math.ceil(waitMs / 1_000)));
    const headers = { Location: `/api/v1/operations/${operation._id}`, "Retry-After": String(retrySeconds) };
    return { status: 202, body: this.view(operation, outlook), headers };
  }

  view(operation: Operation, outlook?: DeviceOutlook): { readonly [field: string]: Json } {
    const model = deviceModel(this.#deps.registry, undefined);
    const path = model.names.find(operation.path);
    return operationView(operation, path === undefined ? undefined : model.nameOf(path), outlook);
  }

  async outlook(endpoint: string): Promise<DeviceOutlook> {
    const { registrations } = this.#deps;
    const registration = await registrations.find(endpoint);
    const nextExpectedContact = registration === undefined ? undefined : registrations.nextExpectedContact(registration);
    return { awake: registrations.isAwake(endpoint), nextExpectedContact };
  }
}

function refusalProblem(refusal: CreateRefusal): Problem {
  const { reason, detail } = refusal;
  if (reason === "value-type-mismatch") return { type: reason, detail, errors: [{ pointer: refusal.pointer, detail }] };
  if (reason === "queue-full") return { type: reason, detail, retryAfterSeconds: refusal.retryAfterSeconds };
  return { type: reason, detail };
}
