/** Firmware updates of single devices over REST. */
import { findInstant, formatInstant } from "@lwm2m/protocol/platform/instant";
import { unknownDevice } from "../devices/device-http.ts";
import type { IdempotencyKeys, MadeReply } from "../http/idempotency.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { PackageService } from "./package-service.ts";
import type { FirmwareUpdate } from "./update.ts";
import type { UpdateService } from "./update-service.ts";

const maxPage = 1_000;

const instant: JsonSchema = { type: ["string", "null"], format: "date-time" };

const updateSchema: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "string" },
    endpoint: { type: "string" },
    packageId: { type: "string" },
    targetVersion: { type: "string" },
    state: { type: "string" },
    waitingFor: { type: "object", properties: { code: { type: "string" }, text: { type: "string" } } },
    failure: { type: ["string", "null"] },
    detail: { type: ["string", "null"] },
    attempt: { type: "integer" },
    servedBytes: { type: "integer" },
    sizeBytes: { type: "integer" },
    downloadPath: { type: "string", description: "Where the device fetches the package on the CoAP port, while the update runs" },
    packageUri: { type: ["string", "null"] },
    seen: { type: ["object", "null"] },
    history: { type: "array" },
    createdAt: instant,
    stateSince: instant,
    nextStepAt: instant,
    expiresAt: instant,
    finishedAt: instant,
  },
};

const updateReply = (description: string) => ({ description, schema: updateSchema });

export function updateRoutes(dependencies: {
  readonly updates: UpdateService;
  readonly packages: PackageService;
  readonly keys: IdempotencyKeys;
  readonly isKnownDevice: (endpoint: string) => Promise<boolean>;
  readonly now: () => number;
}): readonly Route[] {
  const { updates, packages, keys } = dependencies;

  async function start(request: Parameters<Route["handle"]>[0], id: string): Promise<Reply> {
    const endpoint = request.params["endpoint"] ?? "";
    const order = readOrder(request.body, dependencies.now());
    if ("problem" in order) return order;
    if (!(await dependencies.isKnownDevice(endpoint))) return unknownDevice(endpoint);
    const pack = await packages.find(order.packageId);
    if (pack === undefined) return unknownPackage(order.packageId);
    const { actor, traceId } = request;
    const outcome = await updates.start({
      id,
      endpoint,
      package: pack,
      actor,
      traceId,
      ...(order.expiresAt === undefined ? {} : { expiresAt: order.expiresAt }),
    });
    if (outcome.ok) {
      // Deleted in the same moment: whoever deletes looks for updates after that, so one of the two finds the other.
      if ((await packages.find(pack._id)) === undefined) {
        await updates.cancel(outcome.update._id, { actor, traceId });
        return unknownPackage(pack._id);
      }
      return madeReply(outcome.update);
    }
    const active = outcome.active === undefined ? "" : `: ${outcome.active._id}, in state ${outcome.active.state}`;
    return { problem: { type: "conflict", detail: `an update of ${endpoint} is under way${active}` } };
  }

  async function cancel(request: Parameters<Route["handle"]>[0]): Promise<Reply> {
    const id = request.params["id"] ?? "";
    const outcome = await updates.cancel(id, { actor: request.actor, traceId: request.traceId });
    if (outcome.ok) return { status: 200, body: view(outcome.update) };
    if (outcome.reason === "update-unknown") return unknownUpdate(id);
    const state = outcome.update?.state ?? "unknown";
    const why = outcome.reason === "finished" ? "it is over" : "the device may already be installing";
    return { problem: { type: "conflict", detail: `the update is in state ${state}: ${why}` } };
  }

  return [
    {
      method: "POST",
      path: "/devices/{endpoint}/updates",
      name: "startUpdate",
      summary: "Update the firmware of one device; it begins at the device's next contact",
      body: {
        type: "object",
        properties: { packageId: { type: "string" }, expiresAt: { type: "string", description: "RFC 3339; default in 7 days" } },
        required: ["packageId"],
        additionalProperties: false,
      },
      headers: ["Idempotency-Key"],
      replies: { 201: updateReply("The update, stored") },
      handle: (request) =>
        keys.once<MadeReply>(request, {
          about: ["startUpdate", request.params["endpoint"] ?? "", request.body ?? null],
          newId: () => updates.newId(),
          async find(id) {
            const update = await updates.find(id);
            return update === undefined ? undefined : madeReply(update);
          },
          make: (id) => start(request, id),
        }),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/updates",
      name: "listUpdates",
      summary: "Firmware updates of a device, newest first",
      query: { limit: { type: "integer", minimum: 1, maximum: maxPage } },
      replies: {
        200: { description: "The newest", schema: { type: "object", properties: { items: { type: "array", items: updateSchema } } } },
      },
      async handle(request): Promise<Reply> {
        const { limit } = request.query;
        const endpoint = request.params["endpoint"] ?? "";
        const items = await updates.page(endpoint, typeof limit === "number" ? limit : 100);
        // A device that was deleted leaves its updates behind.
        if (items.length === 0 && !(await dependencies.isKnownDevice(endpoint))) return unknownDevice(endpoint);
        return { status: 200, body: { items: items.map(view) } };
      },
    },
    {
      method: "GET",
      path: "/updates/{id}",
      name: "getUpdate",
      summary: "One firmware update: its state, what it waits for, what the device showed last",
      replies: { 200: updateReply("The update") },
      async handle(request): Promise<Reply> {
        const id = request.params["id"] ?? "";
        const update = await updates.find(id);
        return update === undefined ? unknownUpdate(id) : { status: 200, body: view(update) };
      },
    },
    {
      method: "POST",
      path: "/updates/{id}:cancel",
      name: "cancelUpdate",
      summary: "Cancel an update that the device has not begun to install",
      replies: { 200: updateReply("The update, cancelled") },
      handle: cancel,
    },
  ];
}

function readOrder(
  body: Json | undefined,
  nowMs: number,
): { readonly packageId: string; readonly expiresAt?: number } | (Reply & { readonly problem: unknown }) {
  // The door checked the shape by the route's schema; the instant is checked here.
  const { packageId, expiresAt } = body as { readonly packageId: string; readonly expiresAt?: string };
  if (expiresAt === undefined) return { packageId };
  const at = findInstant(expiresAt);
  if (at !== undefined && at > nowMs) return { packageId, expiresAt: at };
  const detail = `expiresAt: got ${JSON.stringify(expiresAt)}, expected an RFC 3339 instant in the future`;
  return { problem: { type: "bad-request", detail, errors: [{ pointer: "/expiresAt", detail }] } };
}

function unknownPackage(id: string): Reply {
  const detail = `no package has the id ${id}`;
  return { problem: { type: "package-unknown", detail, errors: [{ pointer: "/packageId", detail }] } };
}

function unknownUpdate(id: string): Reply {
  return { problem: { type: "update-unknown", detail: `no firmware update has the id ${id}` } };
}

function madeReply(update: FirmwareUpdate): MadeReply {
  return { status: 201, headers: { location: `/api/v1/updates/${update._id}` }, body: view(update) };
}

function view(update: FirmwareUpdate): { readonly [field: string]: Json } {
  return {
    id: update._id,
    endpoint: update.endpoint,
    packageId: update.packageId,
    targetVersion: update.targetVersion,
    state: update.state,
    waitingFor: { ...update.waitingFor },
    failure: update.failure,
    detail: update.detail,
    attempt: update.attempt,
    servedBytes: Math.min(update.servedBytes, update.sizeBytes),
    sizeBytes: update.sizeBytes,
    downloadPath: `/fw/${update.downloadToken}`,
    packageUri: update.packageUri,
    seen: update.seen === null ? null : { ...update.seen, at: formatInstant(update.seen.at) },
    history: update.history.map((entry) => ({ ...entry, at: formatInstant(entry.at) })),
    createdAt: formatInstant(update.createdAt),
    stateSince: formatInstant(update.stateSince),
    nextStepAt: update.active ? formatInstant(update.wakeAt) : null,
    expiresAt: formatInstant(update.expiresAt),
    finishedAt: update.finishedAt === null ? null : formatInstant(update.finishedAt),
  };
}
