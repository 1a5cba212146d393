/** What every REST address that makes an operation does alike: names resolved, keys honoured, waited for, answered (RFC 7240). */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { IdempotencyKeys } from "../http/idempotency.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply, RouteRequest } from "../http/route.ts";
import type { DeviceOutlook, Outlooks } from "../outlook/device-outlook.ts";
import { operationOutlook } from "../outlook/operation-outlook.ts";
import { outlookView } from "../outlook/outlook-view.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import type { CreateRefusal, Operation, OperationRequest } from "./operation.ts";
import { findTimeFault } from "./operation-request.ts";
import type { OperationService } from "./operation-service.ts";
import { escapePointer } from "./operation-value.ts";
import { operationView } from "./operation-view.ts";
import { type DeviceQueue, wakeUpView } from "./queue-view.ts";
import { withoutUnreadable } from "./unreadable-values.ts";

export interface OperationDoorDeps {
  readonly operations: OperationService;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly keys: IdempotencyKeys;
  readonly outlooks: Outlooks;
  readonly clock: Clock;
}

/** How long an answer is waited for when the caller does not say and the device is awake; an asleep one is never waited for. */
const defaultWaitMs = 10_000;
/** Retry-After of a 202: soon while the device is awake, never further off than a caller would plan; `blind` when nobody knows. */
const retrySeconds = { least: 1, greatest: 3_600, blind: 60 } as const;

/** The operation as it is when the wait is over, or why there is none. */
export type Submitted = { readonly operation: Operation } | { readonly problem: Problem };

export class OperationDoor {
  readonly #deps: OperationDoorDeps;

  constructor(deps: OperationDoorDeps) {
    this.#deps = deps;
  }

  /** `device/0/batteryLevel` or `3/0/9`, with or without a leading slash, in the model the device registered. */
  async findPath(endpoint: string, text: string, pointer?: string): Promise<{ readonly path: string } | { readonly problem: Problem }> {
    const last = await this.#deps.registrations.findLast(endpoint);
    const { names, faultOf } = deviceModel(this.#deps.registry, last);
    const path = names.find(text);
    if (path !== undefined) return { path: formatPath(path) };
    const detail = faultOf(text);
    return { problem: { type: "path-not-in-model", detail, ...(pointer === undefined ? {} : { errors: [{ pointer, detail }] }) } };
  }

  async submit(request: RouteRequest, endpoint: string, wanted: OperationRequest): Promise<Submitted> {
    const resolved = await this.#resolve(endpoint, wanted);
    if ("problem" in resolved) return resolved;
    const created = await this.#createOnce(request, endpoint, resolved.request);
    if ("problem" in created) return created;
    const { operation } = created;
    const waitMs = request.preferWaitMs ?? (this.#deps.registrations.isAwake(endpoint) ? defaultWaitMs : 0);
    if (waitMs === 0 || !operation.open) return created;
    return { operation: (await this.#deps.operations.waitFor(operation._id, waitMs, request.signal)) ?? operation };
  }

  /** 200 with a final operation, 202 with one that goes on. */
  async reply(operation: Operation): Promise<Reply> {
    if (!operation.open) return { status: 200, body: this.view(operation) };
    const outlook = await this.outlook(operation.endpoint);
    const retryAfter = retryAfterSeconds(operation, outlook, this.#deps.clock.now());
    const headers = { Location: `/api/v1/operations/${operation._id}`, "Retry-After": String(retryAfter) };
    return { status: 202, body: this.view(operation, outlook), headers };
  }

  view(operation: Operation, outlook?: DeviceOutlook): { readonly [field: string]: Json } {
    const model = deviceModel(this.#deps.registry, undefined);
    const path = model.names.find(operation.path);
    const { operation: shown, hides } = withoutUnreadable(operation, model);
    const name = path === undefined ? undefined : model.nameOf(path);
    const view = operationView(shown, name, outlook && this.#outlookView(operation, outlook));
    return hides ? { ...view, hidesValues: true } : view;
  }

  /** What waits for a device, and the plan of its next wake-up. */
  wakeUp(queue: DeviceQueue, outlook: DeviceOutlook): { readonly [field: string]: Json } {
    const { awake, nextExpectedContact, lastSignal } = outlook;
    return {
      awake,
      nextExpectedContact: nextExpectedContact === undefined ? null : formatInstant(nextExpectedContact),
      ...outlookView(outlook, lastSignal),
      ...wakeUpView(queue, this.#deps.clock.now()),
    };
  }

  #outlookView(operation: Operation, outlook: DeviceOutlook): { readonly [field: string]: Json } {
    const { awake, nextExpectedContact, lastSignal } = outlook;
    return {
      awake,
      nextExpectedContact: nextExpectedContact === undefined ? null : formatInstant(nextExpectedContact),
      ...outlookView(operationOutlook(operation, outlook, this.#deps.clock.now()), lastSignal),
    };
  }

  /** Every name in the request as a path. */
  async #resolve(
    endpoint: string,
    wanted: OperationRequest,
  ): Promise<{ readonly request: OperationRequest } | { readonly problem: Problem }> {
    const { path, paths, values } = wanted;
    const pointers = new Map<string, string>([
      ...(paths === undefined && values === undefined ? [[path, "/path"] as const] : []),
      ...(paths ?? []).map((text, index) => [text, `/paths/${index}`] as const),
      ...Object.keys(values ?? {}).map((text) => [text, `/values/${escapePointer(text)}`] as const),
    ]);
    const found = new Map<string, string>();
    for (const [text, pointer] of pointers) {
      const resolved = text === "/" && paths !== undefined ? { path: text } : await this.findPath(endpoint, text, pointer);
      if ("problem" in resolved) return resolved;
      found.set(text, resolved.path);
    }
    const at = (text: string): string => found.get(text) ?? text;
    const byPath = Object.entries(values ?? {}).map(([text, value]) => [at(text), value] as const);
    const twice = byPath.find(([text], index) => byPath.findIndex(([other]) => other === text) < index);
    if (twice !== undefined) return { problem: { type: "bad-request", detail: `/values: ${twice[0]} is named twice` } };
    const request = {
      ...wanted,
      path: at(path),
      ...(paths === undefined ? {} : { paths: [...new Set(paths.map(at))] }),
      ...(values === undefined ? {} : { values: Object.fromEntries(byPath) }),
    };
    return { request };
  }

  /** A repetition finds what was made, even when its expiresAt has passed meanwhile. */
  #createOnce(request: RouteRequest, endpoint: string, wanted: OperationRequest): Promise<Submitted> {
    const { operations, keys } = this.#deps;
    return keys.once<{ readonly operation: Operation }>(request, {
      about: [endpoint, { ...wanted } as { readonly [field: string]: Json }],
      newId: () => operations.newId(),
      find: async (id) => {
        const operation = await operations.find(id);
        return operation === undefined ? undefined : { operation };
      },
      make: (id) => this.#create(request, endpoint, wanted, id),
    });
  }

  async #create(
    { actor, traceId, idempotencyKey }: RouteRequest,
    endpoint: string,
    wanted: OperationRequest,
    id: string,
  ): Promise<Submitted> {
    const late = findTimeFault(wanted, this.#deps.clock.now());
    if (late !== undefined) return { problem: late };
    const outcome = await this.#deps.operations.create(endpoint, wanted, {
      ...{ actor, traceId },
      // Only what may be a repetition is looked for.
      ...(idempotencyKey === undefined ? {} : { id }),
    });
    return outcome.ok ? { operation: outcome.operation } : { problem: refusalProblem(outcome.refusal) };
  }

  outlook(endpoint: string): Promise<DeviceOutlook> {
    return this.#deps.outlooks.of(endpoint);
  }
}

/** Until the operation may be sent, or the device is expected. */
function retryAfterSeconds({ notBefore = 0 }: Operation, { awake, nextExpectedContact = 0 }: DeviceOutlook, nowMs: number): number {
  const { least, greatest, blind } = retrySeconds;
  const contactAt = awake ? nowMs : nextExpectedContact;
  // Never registered, or overdue.
  if (contactAt < nowMs && notBefore <= nowMs) return blind;
  return Math.min(greatest, Math.max(least, Math.ceil((Math.max(contactAt, notBefore) - nowMs) / 1_000)));
}

function refusalProblem(refusal: CreateRefusal): Problem {
  const { reason, detail } = refusal;
  if (reason === "value-type-mismatch") return { type: reason, detail, errors: [{ pointer: refusal.pointer, detail }] };
  if (reason === "queue-full") return { type: reason, detail, retryAfterSeconds: refusal.retryAfterSeconds };
  return { type: reason, detail };
}
