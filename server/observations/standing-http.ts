/** Standing observations over REST: made, changed, and how each stands at each of its devices. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { Groups } from "../groups/group-service.ts";
import type { IdempotencyKeys, MadeReply, Refused } from "../http/idempotency.ts";
import { pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { Problem } from "../http/problem.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { OperationRequest } from "../operations/operation.ts";
import { unseenTarget } from "../operations/operation-plan.ts";
import { attributesSchema } from "../operations/operation-request.ts";
import { planOperation } from "../operations/plan-operation.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Json } from "../storage/collection.ts";
import { observationSchema, standingView, unknownObservation } from "./observation-http.ts";
import { type Attributes, type DeviceState, deviceStates, type StandingDevice, type StandingObservation } from "./standing.ts";
import type { NewStanding, StandingChange, StandingService } from "./standing-service.ts";

export interface StandingDoor {
  readonly standings: StandingService;
  readonly groups: Groups;
  readonly devices: Devices;
  readonly registry: ObjectRegistry;
  readonly keys: IdempotencyKeys;
}

const pathSchema: JsonSchema = { type: "string", minLength: 1, maxLength: 256 };
/** Paths of one composite observation, as of one composite operation. */
const maxPaths = 64;
const restore: JsonSchema = {
  enum: ["always", "never"],
  description: "always (default): asked for again in every registration; never: what was granted ends with its registration",
};
const attributes: JsonSchema = { ...attributesSchema, type: ["object", "null"], additionalProperties: { type: "number" } };

const newStandingSchema: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    endpoint: { ...pathSchema, description: "one device" },
    group: { ...pathSchema, description: "every member of a group, by its id" },
    path: { ...pathSchema, description: "/3/0/9 or device/0/batteryLevel" },
    paths: {
      type: "array",
      minItems: 1,
      maxItems: maxPaths,
      uniqueItems: true,
      items: pathSchema,
      description: "in one composite observation",
    },
    attributes,
    restore,
  },
  allOf: [{ oneOf: [{ required: ["endpoint"] }, { required: ["group"] }] }, { oneOf: [{ required: ["path"] }, { required: ["paths"] }] }],
};

const deviceSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "observation", "state", "since", "reason", "coapCode", "detail", "retryAt"],
  properties: {
    endpoint: { type: "string" },
    observation: { type: "string", description: "id of what is observed at the device" },
    state: {
      enum: deviceStates,
      description:
        "unsupported: not in the device's version or objects; ended: cancelled there by an operation until it registers anew, or over with its registration (restore: never); leaving: to be cancelled there",
    },
    since: { type: "string", format: "date-time" },
    reason: { type: ["string", "null"] },
    coapCode: { type: ["string", "null"] },
    detail: { type: ["string", "null"] },
    retryAt: { type: ["string", "null"], format: "date-time", description: "tried again then, or when the device registers anew" },
    waitingFor: {
      type: "object",
      required: ["code", "text"],
      properties: { code: { type: "string" }, text: { type: "string" } },
      description: "of a pending one",
    },
  },
};

const countersSchema: JsonSchema = {
  type: "object",
  required: ["asked", "granted", "refused", "unanswered", "released", "waiting", "paused"],
  properties: {
    asked: { type: "integer", description: "requests by which this process asked by itself, since its start" },
    granted: { type: "integer" },
    refused: { type: "integer" },
    unanswered: { type: "integer" },
    released: { type: "integer", description: "relations ended since nobody wished them, or with other attributes" },
    waiting: { type: "integer", description: "devices that wait now for their turn by OBSERVE_RATE" },
    paused: { type: "integer", description: "pauses given to devices that restarted at each Observe" },
  },
};

export function standingRoutes(own: StandingDoor): Route[] {
  const { standings } = own;
  return [
    {
      method: "POST",
      path: "/observations",
      name: "createStandingObservation",
      summary: "Observes a path, or several together, at a device or at every member of a group, present and future",
      body: newStandingSchema,
      bodyRequired: true,
      headers: ["Idempotency-Key"],
      replies: { 201: { description: "The standing observation; its devices follow", schema: observationSchema } },
      handle: (request) =>
        own.keys.once<MadeReply>(request, {
          about: ["createStandingObservation", request.body ?? null],
          newId: () => standings.newId(),
          async find(id) {
            const standing = await standings.find(id);
            return standing === undefined ? undefined : madeReply(standing);
          },
          make: (id) => create(own, request, id),
        }),
    },
    {
      method: "PATCH",
      path: "/observations/{id}",
      name: "changeStandingObservation",
      summary: "Other attributes (null: none) or another restore policy; the devices that hold it are asked anew",
      body: { type: "object", minProperties: 1, additionalProperties: false, properties: { attributes, restore } },
      bodyRequired: true,
      replies: { 200: { description: "The standing observation as it is now", schema: observationSchema } },
      handle: (request) => change(own, request),
    },
    {
      method: "GET",
      path: "/observations/{id}/devices",
      name: "listDevicesOfObservation",
      summary: "How a standing observation stands at each of its devices, by endpoint name",
      query: { state: { enum: deviceStates }, ...pageParameters },
      replies: {
        200: { description: "A page of devices", schema: pageSchemaOf(deviceSchema) },
      },
      handle: (request) => listDevices(own, request),
    },
    {
      method: "GET",
      path: "/observation-counters",
      name: "getObservationCounters",
      summary: "What this process has asked of devices by itself, and how many wait for their turn",
      replies: { 200: { description: "Counters since the start", schema: countersSchema } },
      handle: async () => ({ status: 200, body: { ...standings.counters() } }),
    },
  ];
}

interface NewBody {
  readonly endpoint?: string;
  readonly group?: string;
  readonly path?: string;
  readonly paths?: readonly string[];
  readonly attributes?: Attributes | null;
  readonly restore?: NewStanding["restore"];
}

async function create(
  { standings, groups, devices, registry }: StandingDoor,
  { body, actor }: RouteRequest,
  id: string,
): Promise<MadeReply | Refused> {
  const wanted = body as NewBody;
  const { endpoint = null, group = null } = wanted;
  if (endpoint !== null && !(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  if (group !== null && (await groups.find(group)) === undefined) {
    return { problem: { type: "not-found", detail: `/group: no group has the id ${JSON.stringify(group)}` } };
  }
  const resolved = resolve(wanted, registry);
  if ("problem" in resolved) return resolved;
  const { target } = resolved;
  const asked = wanted.attributes ?? null;
  const fault = findFault(target, asked, registry);
  if (fault !== undefined) return { problem: fault };
  const standing = await standings.create(
    { endpoint, group, ...target, attributes: orNone(asked), restore: wanted.restore ?? "always" },
    actor,
    id,
  );
  return madeReply(standing);
}

function madeReply(standing: StandingObservation): MadeReply {
  return { status: 201, body: standingView(standing), headers: { Location: `/api/v1/observations/${standing._id}` } };
}

async function change({ standings, registry }: StandingDoor, { params, body }: RouteRequest): Promise<Reply> {
  const id = params["id"] ?? "";
  const present = await standings.find(id);
  if (present === undefined) return unknownObservation(id);
  const { attributes: asked, restore: policy } = body as StandingChange;
  const fault = asked === undefined ? undefined : findFault(present, asked, registry);
  if (fault !== undefined) return { problem: fault };
  const changed = await standings.change(id, {
    ...(asked === undefined ? {} : { attributes: orNone(asked) }),
    ...(policy === undefined ? {} : { restore: policy }),
  });
  if (changed === undefined) return { problem: { type: "conflict", detail: "the observation is ending" } };
  return { status: 200, body: standingView(changed) };
}

async function listDevices({ standings }: StandingDoor, { params, query }: RouteRequest): Promise<Reply> {
  const id = params["id"] ?? "";
  if ((await standings.find(id)) === undefined) return unknownObservation(id);
  const { state } = query;
  const page = pageIn(query);
  const found = await standings.devices(id, { ...page, ...(typeof state === "string" ? { state: state as DeviceState } : {}) });
  return pageOf(found, page.limit, deviceView, ({ endpoint }) => endpoint);
}

type Target = Pick<NewStanding, "path" | "paths">;

/** Names by the newest models: a group has devices of several. */
function resolve({ path, paths }: NewBody, registry: ObjectRegistry): { readonly target: Target } | { readonly problem: Problem } {
  const { names, faultOf } = deviceModel(registry, undefined);
  const found: string[] = [];
  for (const [index, text] of (paths ?? [path ?? ""]).entries()) {
    const named = text === "/" && paths !== undefined ? undefined : names.find(text);
    if (named === undefined && !(text === "/" && paths !== undefined)) {
      const detail = faultOf(text);
      const pointer = paths === undefined ? "/path" : `/paths/${index}`;
      return { problem: { type: "path-not-in-model", detail, errors: [{ pointer, detail }] } };
    }
    found.push(named === undefined ? text : formatPath(named));
  }
  if (paths !== undefined) return { target: { path: "/", paths: [...new Set(found)] } };
  return { target: { path: found[0] ?? "/" } };
}

/** What no device could grant; what only some cannot is theirs to say. */
function findFault({ path, paths }: Target, asked: Attributes | null, registry: ObjectRegistry): Problem | undefined {
  const given = orNone(asked) === null ? {} : { attributes: asked ?? {} };
  const request: OperationRequest =
    paths === undefined ? { kind: "observe", path, ...given } : { kind: "observeComposite", path, paths, ...given };
  const planned = planOperation(request, unseenTarget, deviceModel(registry, undefined));
  if (planned.ok) return undefined;
  const { refusal } = planned;
  if (refusal.reason === "device-unknown" || refusal.reason === "queue-full") throw new Error("a plan is refused for what it is");
  if (!("pointer" in refusal)) return { type: refusal.reason, detail: refusal.detail };
  return { type: refusal.reason, detail: refusal.detail, errors: [{ pointer: refusal.pointer, detail: refusal.detail }] };
}

function orNone(asked: Attributes | null): Attributes | null {
  return asked === null || Object.keys(asked).length === 0 ? null : asked;
}

const waitingWords: { readonly [code: string]: string } = {
  answer: "It has been asked: the device has to answer, or to wake up first.",
  registration: "The device is not registered: it has to register.",
  connection: "The secured connection of the device is gone, and the server makes none: the device has to come back.",
  "wake-up": "The device sleeps: it has to wake up.",
  turn: "Its turn: the device is awake, and so many are asked in a second.",
  "restart-loop": "The device restarts each time it is asked to observe, so it is left in peace for a while.",
};

function deviceView({ endpoint, observation, state, since, reason, coapCode, detail, retryAt }: StandingDevice): {
  readonly [field: string]: Json;
} {
  const words = waitingWords[reason ?? ""] ?? "The device did not answer when it was asked last; it is asked again.";
  return {
    endpoint,
    observation,
    state,
    since: formatInstant(since),
    reason,
    coapCode,
    detail,
    retryAt: retryAt === null ? null : formatInstant(retryAt),
    ...(state === "pending" ? { waitingFor: { code: reason ?? "turn", text: words } } : {}),
  };
}
