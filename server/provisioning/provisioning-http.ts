/** Bootstrap configurations over REST: given whole, shown without their secrets. */
import { type ConfigField, modeNumbers, secretKeys, securityFields, serverFields } from "@lwm2m/bootstrap/config-fields";
import { readBootstrapConfig, withoutSecrets } from "@lwm2m/bootstrap/config-reader";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { idOf, pageIn, pageOf, pageParameters, pageSchemaOf } from "../http/page.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { BootstrapConfigStore, StoredBootstrapConfig } from "./bootstrap-config-store.ts";

/** LwM2M Core 1.1 §6.2.1 gives no bound; a name has to fit one CoAP option of a query (RFC 7252 §5.10: 255 bytes). */
const maxEndpointNameBytes = 250;

export function provisioningRoutes(configs: BootstrapConfigStore, clock: Clock): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/bootstrap/configs",
      name: "listBootstrapConfigs",
      summary: "Devices that have a bootstrap configuration, by endpoint name",
      query: pageParameters,
      replies: { 200: { description: "Configurations without secrets", schema: pageSchemaOf(shownSchema) } },
      async handle({ query }) {
        const { limit, after = "" } = pageIn(query);
        return pageOf(await configs.list(after, limit), limit, shown, idOf);
      },
    },
    {
      method: "GET",
      path: "/bootstrap/configs/{endpoint}",
      name: "getBootstrapConfig",
      summary: "The bootstrap configuration of a device, without its secrets",
      replies: { 200: { description: "The configuration", schema: shownSchema } },
      async handle({ params }) {
        const stored = await configs.findStored(params["endpoint"] ?? "");
        return stored === undefined ? noConfig(params["endpoint"]) : { status: 200, body: shown(stored) };
      },
    },
    {
      method: "PUT",
      path: "/bootstrap/configs/{endpoint}",
      name: "putBootstrapConfig",
      summary: "Sets what a device gets at its next bootstrap; replaces the whole configuration, secrets included",
      body: configSchema,
      replies: { 200: { description: "Replaced", schema: shownSchema }, 201: { description: "Created", schema: shownSchema } },
      async handle({ params, body }) {
        const endpoint = params["endpoint"] ?? "";
        if (Buffer.byteLength(endpoint) > maxEndpointNameBytes) {
          return { problem: { type: "bad-request", detail: `the endpoint name is longer than ${maxEndpointNameBytes} bytes` } };
        }
        const outcome = readBootstrapConfig(body);
        if (!outcome.ok || body === undefined) return refused(outcome.ok ? [] : outcome.faults);
        const updatedAt = clock.now();
        const isNew = await configs.put(endpoint, body, updatedAt);
        return { status: isNew ? 201 : 200, body: view(endpoint, body, updatedAt) };
      },
    },
    {
      method: "DELETE",
      path: "/bootstrap/configs/{endpoint}",
      name: "deleteBootstrapConfig",
      summary: "Removes the bootstrap configuration: the device is refused from then on",
      replies: { 204: { description: "Removed" } },
      async handle({ params }) {
        return (await configs.delete(params["endpoint"] ?? "")) ? { status: 204 } : noConfig(params["endpoint"]);
      },
    },
  ];
}

function shown({ _id, config, updatedAt }: StoredBootstrapConfig): { readonly [member: string]: Json } {
  return view(_id, config, updatedAt);
}

function view(endpoint: string, config: Json, updatedAt: number): { readonly [member: string]: Json } {
  // A JSON value without some of its members is JSON.
  return { endpoint, config: withoutSecrets(config, secretKeys) as Json, updatedAt: formatInstant(updatedAt) };
}

function noConfig(endpoint: string | undefined): Reply {
  return { problem: { type: "not-found", detail: `${JSON.stringify(endpoint ?? "")} has no bootstrap configuration` } };
}

function refused(faults: readonly { readonly pointer: string; readonly message: string }[]): Reply {
  const errors = faults.map(({ pointer, message }) => ({ pointer, detail: message }));
  const first = errors[0];
  return { problem: { type: "bad-request", detail: `${first?.pointer || "the body"}: ${first?.detail}`, errors } };
}

function schemaOf(fields: readonly ConfigField[]): JsonSchema {
  return {
    type: "object",
    properties: {
      instanceId: { type: "integer", minimum: 0, maximum: 65_534 },
      ...Object.fromEntries(fields.map((field) => [field.key, fieldSchema(field)])),
    },
    required: fields.filter((field) => field.required === true).map(({ key }) => key),
    additionalProperties: false,
  };
}

function fieldSchema({ key, kind, min, max, resourceId }: ConfigField): JsonSchema {
  const description = `resource ${resourceId}`;
  switch (kind) {
    case "boolean":
      return { type: "boolean", description };
    case "integer":
      return {
        type: "integer",
        description,
        ...(min === undefined ? {} : { minimum: min }),
        ...(max === undefined ? {} : { maximum: max }),
      };
    case "mode":
      return { enum: Object.keys(modeNumbers), description };
    case "text":
    case "identity":
      return { type: "string", minLength: 1, description };
    case "base64":
      return { type: "string", format: "byte", description, ...(secretKeys.includes(key) ? { writeOnly: true } : {}) };
  }
}

const configSchema: JsonSchema = {
  type: "object",
  properties: {
    deletes: { type: "array", items: { type: "string" }, description: 'removed first: "/", objects or instances; default /0 and /1' },
    security: { type: "array", minItems: 1, items: schemaOf(securityFields) },
    servers: { type: "array", minItems: 1, items: schemaOf(serverFields) },
  },
  required: ["security", "servers"],
  additionalProperties: false,
};

const shownSchema: JsonSchema = {
  type: "object",
  properties: { endpoint: { type: "string" }, config: { type: "object" }, updatedAt: { type: "string", format: "date-time" } },
  required: ["endpoint", "config", "updatedAt"],
};
