/** Devices that are expected before they come, and those that came without: making an entry, and claiming one out of quarantine. */
import type { IdempotencyKeys, MadeReply, Refused } from "../http/idempotency.ts";
import type { Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { Devices } from "./device.ts";
import { deviceSchema, unknownDevice, viewOf } from "./device-http.ts";

/** Bytes an endpoint name may have in a Uri-Query option, `ep=` taken off (RFC 7252 §5.10). */
const mostNameBytes = 252;

export function quarantineRoutes(devices: Devices, keys: IdempotencyKeys): Route[] {
  return [
    {
      method: "POST",
      path: "/devices",
      name: "createDevice",
      summary: "Makes the entry of a device before it registers: then it is expected; 409 when there is one",
      body: {
        type: "object",
        required: ["endpoint"],
        additionalProperties: false,
        properties: {
          endpoint: {
            type: "string",
            minLength: 1,
            maxLength: mostNameBytes,
            // What a device may not call itself either (protocol, register-query.ts).
            pattern: "^(?!\\.{1,2}$)[^\\p{Cc}\\p{Zl}\\p{Zp}\\p{Bidi_Control}\\ufffd]+$",
          },
        },
      },
      headers: ["Idempotency-Key"],
      replies: { 201: { description: "The entry", schema: deviceSchema } },
      handle(request) {
        const { endpoint } = request.body as { readonly endpoint: string };
        return keys.once<MadeReply>(request, {
          about: ["createDevice", endpoint],
          newId: () => endpoint,
          find: async () => ((await devices.isKnown(endpoint)) ? madeReply(devices, endpoint) : undefined),
          make: () => create(devices, endpoint),
        });
      },
    },
    {
      method: "POST",
      path: "/devices/{endpoint}:claim",
      name: "claimDevice",
      summary:
        "Takes a device out of quarantine: what waits for it goes at its next sign of life. One that is not in quarantine stays as it is",
      replies: { 200: { description: "The device", schema: deviceSchema } },
      handle: ({ params }) => claim(devices, params["endpoint"] ?? ""),
    },
  ];
}

async function create(devices: Devices, endpoint: string): Promise<MadeReply | Refused> {
  if (Buffer.byteLength(endpoint) > mostNameBytes) {
    const detail = `/endpoint: got ${Buffer.byteLength(endpoint)} bytes, expected at most ${mostNameBytes}`;
    return { problem: { type: "bad-request", detail, errors: [{ pointer: "/endpoint", detail }] } };
  }
  if (!(await devices.create(endpoint))) {
    const how = devices.isQuarantined(endpoint) ? "in quarantine: claim it" : "there already";
    return { problem: { type: "conflict", detail: `the device ${JSON.stringify(endpoint)} is ${how}` } };
  }
  return madeReply(devices, endpoint);
}

async function madeReply(devices: Devices, endpoint: string): Promise<MadeReply> {
  return { status: 201, body: await viewNow(devices, endpoint), headers: { Location: `/api/v1/devices/${encodeURIComponent(endpoint)}` } };
}

async function claim(devices: Devices, endpoint: string): Promise<Reply> {
  if (!(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  await devices.claim(endpoint);
  return { status: 200, body: await viewNow(devices, endpoint) };
}

async function viewNow(devices: Devices, endpoint: string): Promise<Json> {
  const device = await devices.find(endpoint);
  if (device === undefined) throw new Error(`${endpoint} went away while it was looked at`);
  return viewOf(device);
}
