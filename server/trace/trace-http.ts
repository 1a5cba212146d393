/** The last messages of a device over REST, and the switch. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { DeviceFacet, Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import { limitParameter, pageIn } from "../http/page.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { RegistrationService } from "../registration/registration-service.ts";
import { mostChosenDevices, type TraceService } from "./trace-service.ts";
import { traceViews } from "./trace-view.ts";

export interface TraceRoutesDeps {
  readonly traces: TraceService;
  readonly devices: Devices;
  readonly registrations: Pick<RegistrationService, "findLast">;
  readonly registry: ObjectRegistry;
}

/** LwM2M Core gives no bound; a name has to fit one CoAP option of a query (RFC 7252 §5.10: 255 bytes). */
const maxEndpointNameBytes = 250;

export function traceRoutes(deps: TraceRoutesDeps): Route[] {
  const path = "/devices/{endpoint}/trace";
  return [
    {
      method: "GET",
      path,
      name: "getTrace",
      summary:
        "The last CoAP messages of the device, both ways, oldest first: options by name, payloads by the object model; what may be a secret is hidden",
      query: { limit: limitParameter },
      replies: { 200: { description: "Whether it is on, and the messages", schema: traceSchema } },
      handle: ({ params, query }) => getTrace(deps, params["endpoint"] ?? "", pageIn(query).limit),
    },
    {
      method: "PUT",
      path,
      name: "startTrace",
      summary:
        "Keeps the messages of this device from now on, over restarts and changes of address; the device need not have registered yet",
      replies: { 204: { description: "On" } },
      handle: ({ params }) => start(deps, params["endpoint"] ?? ""),
    },
    {
      method: "DELETE",
      path,
      name: "stopTrace",
      summary: "Keeps no more messages of this device (unless those of all devices are kept: COAP_TRACE), and forgets those that were",
      replies: { 204: { description: "Off" } },
      async handle({ params }) {
        await deps.traces.leave(params["endpoint"] ?? "");
        return { status: 204 };
      },
    },
  ];
}

export function traceFacet(traces: TraceService): DeviceFacet {
  return {
    describe: async (endpoint) => ({ traced: traces.isOn(endpoint) }),
    forget: (endpoint) => traces.leave(endpoint),
  };
}

async function getTrace({ traces, devices, registrations, registry }: TraceRoutesDeps, endpoint: string, limit: number): Promise<Reply> {
  const messages = traces.messagesOf(endpoint);
  const on = traces.isOn(endpoint);
  if (!on && messages.length === 0 && !(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const registration = await registrations.findLast(endpoint);
  const context = { model: deviceModel(registry, registration), rootPath: registration?.rootPath ?? "" };
  // All are read, so that a response finds its request; the last ones are shown.
  const items = traceViews(messages, context).slice(-limit);
  return { status: 200, body: { endpoint, on, items } };
}

async function start({ traces }: TraceRoutesDeps, endpoint: string): Promise<Reply> {
  if (Buffer.byteLength(endpoint) > maxEndpointNameBytes) {
    return { problem: { type: "bad-request", detail: `the endpoint name is longer than ${maxEndpointNameBytes} bytes` } };
  }
  if (await traces.choose(endpoint)) return { status: 204 };
  return { problem: { type: "conflict", detail: `${mostChosenDevices} devices are traced already; stop one of them` } };
}

const messageSchema: JsonSchema = {
  type: "object",
  required: ["at", "door", "direction", "address", "port", "sizeBytes"],
  properties: {
    at: { type: "string", format: "date-time" },
    door: { enum: ["coap", "bootstrap-coap"] },
    direction: { enum: ["in", "out"], description: "in: from the device" },
    address: { type: "string" },
    port: { type: "integer" },
    sizeBytes: { type: "integer" },
    type: { enum: ["CON", "NON", "ACK", "RST"] },
    code: { type: "string", description: "`0.01`, `2.05`; `0.00` is an empty message" },
    method: { type: "string" },
    messageId: { type: "integer" },
    token: { type: "string", description: "hexadecimal" },
    options: {
      type: "array",
      items: {
        type: "object",
        required: ["number", "name", "value"],
        properties: { number: { type: "integer" }, name: { type: "string" } },
      },
    },
    payload: {
      type: ["object", "null"],
      required: ["sizeBytes"],
      properties: {
        sizeBytes: { type: "integer" },
        values: { type: "array", items: { type: "object", required: ["path"] } },
        text: { type: "string" },
        hex: { type: "string" },
        hidden: { type: "string", description: "why it is not shown" },
      },
    },
    malformed: { type: "string", description: "why it is no CoAP message" },
  },
};

const traceSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "on", "items"],
  properties: { endpoint: { type: "string" }, on: { type: "boolean" }, items: { type: "array", items: messageSchema } },
};
