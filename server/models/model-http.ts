/** Object models over REST: the catalogue to look up, models of one's own to upload, replace and delete. */
import { instanceSchema } from "@lwm2m/object-registry/json-schema";
import { limitParameter, pageOf } from "../http/page.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import { readUpload } from "../http/upload.ts";
import type { Json } from "../storage/collection.ts";
import { modelKey, modelLimits } from "./model.ts";
import type { CountUsers, ModelQuery, ModelService, UploadOutcome } from "./model-service.ts";
import { changeView, modelSchema, modelSummary, modelView, pageSchema, uploadSchema, versionsSchema, warningView } from "./model-view.ts";

export interface ModelRoutesDeps {
  readonly models: ModelService;
  readonly countUsers: CountUsers;
}

const mediaTypes = ["application/xml", "text/xml"] as const;

export function modelRoutes(deps: ModelRoutesDeps): readonly Route[] {
  return [...lookups(deps.models), ...uploads(deps.models), deletion(deps)];
}

function lookups(models: ModelService): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/models",
      name: "listModels",
      summary: "Object versions this server knows, by id",
      query: {
        id: { type: "integer", minimum: 0, maximum: 65_534 },
        source: { type: "string", enum: ["catalogue", "own"] },
        limit: limitParameter,
        after: { type: "string", pattern: "^[0-9]{1,5}/[0-9]{1,5}[.][0-9]{1,5}$" },
      },
      replies: { 200: { description: "A page", schema: pageSchema } },
      async handle({ query }): Promise<Reply> {
        const asked = modelQuery(query);
        return pageOf(models.page(asked), asked.limit, modelSummary, ({ definition }) => modelKey(definition.id, definition.version));
      },
    },
    {
      method: "GET",
      path: "/models/{id}",
      name: "getModelVersions",
      summary: "The versions of one object, oldest first",
      replies: { 200: { description: "At least one", schema: versionsSchema } },
      async handle({ params }): Promise<Reply> {
        const objectId = objectIdOf(params);
        const versions = objectId === undefined ? [] : models.page({ objectId, limit: Number.POSITIVE_INFINITY });
        if (objectId === undefined || versions.length === 0) return unknown(params);
        return { status: 200, body: { id: objectId, versions: versions.map(modelSummary) } };
      },
    },
    {
      method: "GET",
      path: "/models/{id}/{version}",
      name: "getModel",
      summary: "One object version: its resources, their types, ranges, units and operations",
      replies: { 200: { description: "The definition", schema: modelSchema } },
      async handle({ params }): Promise<Reply> {
        const model = find(models, params);
        return model === undefined ? unknown(params) : { status: 200, body: modelView(model, models.registry) };
      },
    },
    {
      method: "GET",
      path: "/models/{id}/{version}/schema",
      name: "getModelSchema",
      summary: "JSON Schema (2020-12) of an instance of this object, by the names of its resources",
      replies: { 200: { description: "The schema", schema: { type: "object" } } },
      async handle({ params }): Promise<Reply> {
        const model = find(models, params);
        if (model === undefined) return unknown(params);
        // A schema is readonly objects of unknown members; as a document it is JSON and nothing else.
        const body: Json = JSON.parse(JSON.stringify(instanceSchema(model.definition)));
        return { status: 200, headers: { "content-type": "application/schema+json" }, body };
      },
    },
  ];
}

function uploads(models: ModelService): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/models",
      name: "addModels",
      summary: "Upload object models of your own as an OMA definition file (DDF XML); an own version that is here already is replaced",
      body: "binary",
      mediaTypes,
      replies: {
        200: { description: "All were here and are replaced", schema: uploadSchema },
        201: { description: "In force for every device", schema: uploadSchema },
      },
      async handle(request): Promise<Reply> {
        const file = await readFile(request);
        if (!file.ok) return file;
        const outcome = await models.upload(file.bytes, request.actor);
        if (!outcome.ok) return { problem: uploadProblem(outcome) };
        const isNew = outcome.changes.some(({ change }) => change === "added");
        const [first, second] = outcome.changes;
        const headers: Record<string, string> = {};
        if (first !== undefined && second === undefined) {
          const { id, version } = first.model.definition;
          headers["location"] = `/api/v1/models/${modelKey(id, version)}`;
        }
        return { status: isNew ? 201 : 200, headers, body: uploadBody(outcome) };
      },
    },
    {
      method: "POST",
      path: "/models:validate",
      name: "validateModels",
      summary: "Look at a definition file without taking it: the answer an upload would get now",
      body: "binary",
      mediaTypes,
      replies: { 200: { description: "It would be taken", schema: uploadSchema } },
      async handle(request): Promise<Reply> {
        const file = await readFile(request);
        if (!file.ok) return file;
        const outcome = models.check(file.bytes, request.actor);
        return outcome.ok ? { status: 200, body: uploadBody(outcome) } : { problem: uploadProblem(outcome) };
      },
    },
  ];
}

function deletion({ models, countUsers }: ModelRoutesDeps): Route {
  return {
    method: "DELETE",
    path: "/models/{id}/{version}",
    name: "deleteModel",
    summary: "Delete an own object version that no registered device uses",
    replies: { 204: { description: "Deleted" } },
    async handle({ params }): Promise<Reply> {
      const objectId = objectIdOf(params);
      const version = params["version"] ?? "";
      if (objectId === undefined) return unknown(params);
      const outcome = await models.delete(objectId, version, countUsers);
      if (outcome.ok) return { status: 204 };
      switch (outcome.reason) {
        case "unknown":
          return unknown(params);
        case "in-catalogue":
          return { problem: { type: "conflict", detail: `object ${objectId} version ${version} is part of the catalogue and stays` } };
        case "in-use": {
          const users = outcome.devices === 1 ? "1 registered device uses" : `${outcome.devices} registered devices use`;
          return { problem: { type: "conflict", detail: `${users} object ${objectId} version ${version}` } };
        }
      }
    },
  };
}

async function readFile(
  request: RouteRequest,
): Promise<{ readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly problem: Problem }> {
  const bytes = request.stream === undefined ? new Uint8Array() : await readUpload(request.stream, modelLimits.fileBytes);
  if (bytes === "too-large") {
    return { ok: false, problem: { type: "body-too-large", detail: `a definition file has at most ${modelLimits.fileBytes} bytes` } };
  }
  if (bytes.length === 0) return { ok: false, problem: { type: "bad-request", detail: "the body is empty; it must be a definition file" } };
  return { ok: true, bytes };
}

function uploadBody({ changes, warnings }: Extract<UploadOutcome, { ok: true }>): Json {
  return { models: changes.map(changeView), warnings: warnings.map(warningView) };
}

function uploadProblem(outcome: Exclude<UploadOutcome, { ok: true }>): Problem {
  switch (outcome.reason) {
    case "invalid": {
      const [first, ...more] = outcome.faults;
      const rest = more.length === 0 ? "" : ` (and ${more.length} more, see errors)`;
      const errors = outcome.faults.map(({ detail, path }) => ({ pointer: path ?? "", detail }));
      return { type: "model-invalid", detail: `${first?.detail}${rest}`, errors };
    }
    case "in-catalogue": {
      const names = outcome.models.map(({ id, version }) => modelKey(id, version)).join(", ");
      return {
        type: "conflict",
        detail: `${names}: published versions are part of the catalogue and cannot be replaced; nothing was taken`,
      };
    }
    case "full":
      return { type: "conflict", detail: outcome.detail };
  }
}

function modelQuery({ id, source, limit, after }: RouteRequest["query"]): ModelQuery {
  const [afterId, afterVersion] = typeof after === "string" ? after.split("/") : [];
  return {
    limit: Number(limit),
    ...(typeof id === "number" ? { objectId: id } : {}),
    ...(source === "own" || source === "catalogue" ? { source } : {}),
    ...(afterId === undefined || afterVersion === undefined ? {} : { after: { objectId: Number(afterId), version: afterVersion } }),
  };
}

function find(models: ModelService, params: RouteRequest["params"]): ReturnType<ModelService["find"]> {
  const objectId = objectIdOf(params);
  return objectId === undefined ? undefined : models.find(objectId, params["version"] ?? "");
}

function objectIdOf({ id = "" }: RouteRequest["params"]): number | undefined {
  return /^(0|[1-9][0-9]{0,4})$/.test(id) ? Number(id) : undefined;
}

function unknown({ id = "", version }: RouteRequest["params"]): Reply {
  const which = version === undefined ? "" : ` version ${version}`;
  return { problem: { type: "model-unknown", detail: `no model here describes object ${id}${which}` } };
}
