/** The link of one device over REST: which profile, which values of its own, and what follows from them. */
import { type NumericParameter, parameterRules } from "@lwm2m/protocol/coap/parameter-rules";
import type { DeviceFacet, Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import { derivedTimes, findLinkFaults, type LinkProfile, linkProfileNames, parametersOf } from "../devices/link-profile.ts";
import type { LinkProfileService } from "../devices/link-profile-service.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { RegistrationService } from "./registration-service.ts";

export interface LinkProfileRoutesDeps {
  readonly links: LinkProfileService;
  readonly devices: Devices;
  readonly registrations: RegistrationService;
}

const msPerSecond = 1_000;

export function linkProfileRoutes(deps: LinkProfileRoutesDeps): Route[] {
  const path = "/devices/{endpoint}/link-profile";
  const replies = { 200: { description: "The profile in force", schema: viewSchema } };
  return [
    {
      method: "GET",
      path,
      name: "getLinkProfile",
      summary: "The link the device is taken to hang on: timeouts, block size, awake window, and what follows from them (RFC 7252 §4.8.2)",
      replies,
      handle: ({ params }) => onDevice(deps, params, async (endpoint) => ({ status: 200, body: viewOf(deps.links, endpoint) })),
    },
    {
      method: "PUT",
      path,
      name: "putLinkProfile",
      summary:
        "Sets the link of this device: a profile by name, single values in place of the profile's; in force at once and after restarts",
      body: bodySchema,
      replies,
      handle: ({ params, body }) => onDevice(deps, params, (endpoint) => put(deps, endpoint, body as unknown as LinkProfile)),
    },
    {
      method: "DELETE",
      path,
      name: "deleteLinkProfile",
      summary: "Back to the link of all devices that have none of their own",
      replies: { 204: { description: "The default is in force" } },
      handle: ({ params }) =>
        onDevice(deps, params, async (endpoint) => {
          await deps.links.remove(endpoint);
          return { status: 204 };
        }),
    },
  ];
}

/** The profile in the view of the device. */
export function linkProfileFacet(links: LinkProfileService): DeviceFacet {
  return {
    describe: async (endpoint) => ({ linkProfile: (links.find(endpoint) ?? links.usual).profile }),
    forget: async (endpoint) => {
      await links.remove(endpoint);
    },
  };
}

async function onDevice(
  { devices }: LinkProfileRoutesDeps,
  params: { readonly [name: string]: string },
  answer: (endpoint: string) => Promise<Reply>,
): Promise<Reply> {
  const endpoint = params["endpoint"] ?? "";
  return (await devices.isKnown(endpoint)) ? answer(endpoint) : unknownDevice(endpoint);
}

async function put({ links, registrations }: LinkProfileRoutesDeps, endpoint: string, link: LinkProfile): Promise<Reply> {
  const errors = findLinkFaults(link);
  const [first] = errors;
  if (first !== undefined) return { problem: { type: "bad-request", detail: `${first.pointer}: ${first.detail}`, errors } };
  await links.set(endpoint, link);
  await registrations.placeAgain(endpoint);
  return { status: 200, body: viewOf(links, endpoint) };
}

function viewOf(links: LinkProfileService, endpoint: string): { readonly [field: string]: Json } {
  const own = links.find(endpoint);
  const link = own ?? links.usual;
  const parameters = parametersOf(link);
  return {
    endpoint,
    profile: link.profile,
    source: own === undefined ? "default" : "device",
    values: { ...link.values },
    parameters: Object.fromEntries(Object.keys(parameterRules).flatMap((name) => entryOf(name, parameters[name as NumericParameter]))),
    derived: { ...derivedTimes(parameters) },
    awakeSeconds: links.awakeWindowMs(endpoint) / msPerSecond,
    wakeUpBytes: link.wakeUpBytes ?? null,
  };
}

function entryOf(name: string, value: number | undefined): readonly [string, number][] {
  return value === undefined ? [] : [[name, value]];
}

const valuesSchema: JsonSchema = {
  type: "object",
  properties: Object.fromEntries(
    Object.entries(parameterRules).map(([name, { min, max, unit, isInteger, reason }]) => [
      name,
      { type: isInteger ? "integer" : "number", minimum: min, maximum: max, description: unit === "" ? reason : `${unit}; ${reason}` },
    ]),
  ),
  additionalProperties: false,
};

const bodySchema: JsonSchema = {
  type: "object",
  required: ["profile"],
  properties: {
    profile: { enum: [...linkProfileNames], description: "what the values below are changes of" },
    values: { ...valuesSchema, description: "transmission parameters in place of the profile's own (RFC 7252 §4.8.1)" },
    awakeSeconds: {
      type: "integer",
      minimum: 1,
      maximum: 86_400,
      description: "s; how long the device listens after a message in queue mode; without it MAX_TRANSMIT_WAIT of the profile",
    },
    wakeUpBytes: {
      type: "integer",
      minimum: 64,
      maximum: 100_000_000,
      description: "bytes both ways of one wake-up in queue mode; one exchange is made all the same, what is beyond waits for the next",
    },
  },
  additionalProperties: false,
};

const viewSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "profile", "source", "values", "parameters", "derived", "awakeSeconds"],
  properties: {
    endpoint: { type: "string" },
    profile: { enum: [...linkProfileNames] },
    source: { enum: ["device", "default"] },
    values: valuesSchema,
    parameters: valuesSchema,
    derived: {
      type: "object",
      required: ["maxTransmitSpanMs", "maxTransmitWaitMs", "exchangeLifetimeMs", "nonLifetimeMs"],
      additionalProperties: { type: "number" },
    },
    awakeSeconds: { type: "number" },
    wakeUpBytes: { type: ["integer", "null"] },
  },
};
