/** Firmware packages over REST: one call uploads and describes. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { IdempotencyKeys, MadeReply, Refused } from "../http/idempotency.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { FirmwarePackage } from "./package.ts";
import type { PackageService } from "./package-service.ts";
import type { UpdateService } from "./update-service.ts";

const maxPage = 1_000;

const packageSchema: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "string" },
    name: { type: "string" },
    version: { type: "string", description: "What the device reports once it runs this package" },
    sha256: { type: "string" },
    sizeBytes: { type: "integer" },
    createdAt: { type: "string", format: "date-time" },
    createdBy: { type: "string" },
  },
  required: ["id", "name", "version", "sha256", "sizeBytes", "createdAt", "createdBy"],
};

export interface PackageRoutesDeps {
  readonly packages: PackageService;
  readonly updates: UpdateService;
  readonly keys: IdempotencyKeys;
}

export function packageRoutes({ packages, updates, keys }: PackageRoutesDeps): readonly Route[] {
  const unknown = (id: string): Reply => ({ problem: { type: "package-unknown", detail: `no package has the id ${id}` } });
  return [
    {
      method: "POST",
      path: "/packages",
      name: "addPackage",
      summary: "Upload a firmware package; the body is the package itself",
      query: {
        name: { type: "string", minLength: 1, maxLength: 255 },
        version: { type: "string", minLength: 1, maxLength: 255 },
      },
      requiredQuery: ["name", "version"],
      body: "binary",
      headers: ["Idempotency-Key"],
      replies: { 201: { description: "The package, kept", schema: packageSchema } },
      handle: (request) =>
        keys.once<MadeReply>(request, {
          about: ["addPackage", { ...request.query } as { readonly [name: string]: Json }],
          newId: () => packages.newId(),
          make: (id) => add(packages, request, id),
        }),
    },
    {
      method: "GET",
      path: "/packages",
      name: "listPackages",
      summary: "Firmware packages, oldest first",
      query: { limit: { type: "integer", minimum: 1, maximum: maxPage }, after: { type: "string" } },
      replies: {
        200: {
          description: "A page",
          schema: { type: "object", properties: { items: { type: "array", items: packageSchema }, next: { type: ["string", "null"] } } },
        },
      },
      async handle(request): Promise<Reply> {
        const { limit, after } = request.query;
        const size = typeof limit === "number" ? limit : 100;
        const page = await packages.page(size, typeof after === "string" ? after : undefined);
        return { status: 200, body: { items: page.map(view), next: page.length === size ? (page.at(-1)?._id ?? null) : null } };
      },
    },
    {
      method: "GET",
      path: "/packages/{id}",
      name: "getPackage",
      summary: "One firmware package",
      replies: { 200: { description: "The package", schema: packageSchema } },
      async handle(request): Promise<Reply> {
        const id = request.params["id"] ?? "";
        const pack = await packages.find(id);
        return pack === undefined ? unknown(id) : { status: 200, body: view(pack) };
      },
    },
    {
      method: "DELETE",
      path: "/packages/{id}",
      name: "deletePackage",
      summary: "Delete a package that no running update needs",
      replies: { 204: { description: "Deleted" } },
      async handle(request): Promise<Reply> {
        const id = request.params["id"] ?? "";
        const pack = await packages.find(id);
        if (pack === undefined) return unknown(id);
        const isDeleted = await packages.delete(pack, () => updates.isPackageInUse(id));
        return isDeleted ? { status: 204 } : { problem: { type: "conflict", detail: "a running update needs this package" } };
      },
    },
  ];
}

/** Only the body says whether it is the same package again, so it is read each time. */
async function add(packages: PackageService, { query, stream, actor }: RouteRequest, id: string): Promise<MadeReply | Refused> {
  const { name, version } = query;
  if (typeof name !== "string" || typeof version !== "string") throw new Error("the schema asks for name and version");
  const empty: Refused = { problem: { type: "bad-request", detail: "the body is empty; it must be the package" } };
  if (stream === undefined) return empty;
  const outcome = await packages.add({ name, version, createdBy: actor }, stream, id);
  if (outcome.ok) return madeReply(outcome.package);
  switch (outcome.reason) {
    case "too-large":
      return { problem: { type: "body-too-large", detail: `a package has at most ${packages.maxBytes} bytes` } };
    case "empty":
      return empty;
    case "exists": {
      const { existing, sha256 } = outcome;
      if (existing._id === id && existing.sha256 === sha256) return madeReply(existing);
      if (existing._id === id)
        return { problem: { type: "idempotency-mismatch", detail: "this Idempotency-Key came with other bytes before" } };
      const detail = `package ${name} ${version} exists with the id ${existing._id}; a new content needs a new version`;
      return { problem: { type: "conflict", detail } };
    }
  }
}

function madeReply(pack: FirmwarePackage): MadeReply {
  return { status: 201, headers: { location: `/api/v1/packages/${pack._id}` }, body: view(pack) };
}

function view(pack: FirmwarePackage): { readonly [field: string]: string | number } {
  const { _id, createdAt, ...facts } = pack;
  return { id: _id, ...facts, createdAt: formatInstant(createdAt) };
}
