/** The live registration of a device over REST, and what it adds to the view of the device. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { DeviceFacet, Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { JsonSchema, Reply, Route } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import { deviceModel } from "./device-model.ts";
import { identityView } from "./registered-identity.ts";
import type { Registration } from "./registration.ts";
import type { RegistrationService } from "./registration-service.ts";

export interface RegistrationRoutesDeps {
  readonly registrations: RegistrationService;
  readonly devices: Devices;
  readonly registry: ObjectRegistry;
}

const registrationSchema: JsonSchema = {
  type: "object",
  required: ["lwm2mVersion", "lifetimeSeconds", "binding", "queueMode", "objects", "registeredAt", "updatedAt", "expiresAt"],
};

export function registrationRoutes(deps: RegistrationRoutesDeps): Route[] {
  return [
    {
      method: "GET",
      path: "/devices/{endpoint}/registration",
      name: "getRegistration",
      summary: "The live registration of the device",
      replies: { 200: { description: "The registration", schema: registrationSchema } },
      handle: ({ params }) => getRegistration(deps, params["endpoint"] ?? ""),
    },
    {
      method: "GET",
      path: "/devices/{endpoint}/objects",
      name: "listObjects",
      summary: "The objects and instances the device registered, with their names; of the last registration when it is gone",
      replies: { 200: { description: "The objects", schema: { type: "object", required: ["items"] } } },
      handle: ({ params }) => listObjects(deps, params["endpoint"] ?? ""),
    },
  ];
}

/** Registration, presence and the next contact, for `GET /devices/{endpoint}`. */
export function registrationFacet(registrations: RegistrationService): DeviceFacet {
  return {
    async describe(endpoint) {
      const registration = await registrations.find(endpoint);
      const next = registration === undefined ? undefined : registrations.nextExpectedContact(registration);
      return {
        registration: registration === undefined ? null : registrationView(registration),
        connected: registration !== undefined && registrations.isConnected(endpoint),
        awake: registrations.isAwake(endpoint),
        nextExpectedContact: next === undefined ? null : formatInstant(next),
      };
    },
    forget: (endpoint) => registrations.forget(endpoint),
  };
}

/** Without the location: over NoSec it is all that proves to be the device. */
export function registrationView(registration: Registration): { readonly [field: string]: Json } {
  const {
    lwm2mVersion,
    lifetimeSeconds,
    binding,
    queueMode,
    smsNumber,
    address,
    identity,
    rootPath,
    expiresAt,
    barredAt = null,
  } = registration;
  return {
    lwm2mVersion,
    lifetimeSeconds,
    binding,
    queueMode,
    ...(smsNumber === undefined ? {} : { smsNumber }),
    address: { address: address.address, port: address.port },
    identity: identityView(identity),
    rootPath: `/${rootPath}`,
    contentFormats: [...registration.contentFormats],
    objects: registration.objects.map(({ id, version, instances }) => ({ id, version, instances: [...instances] })),
    extraParameters: { ...registration.extraParameters },
    tolerances: [...registration.tolerances],
    registeredAt: formatInstant(registration.registeredAt),
    updatedAt: formatInstant(registration.updatedAt),
    expiresAt: expiresAt === null ? null : formatInstant(expiresAt),
    barredAt: barredAt === null ? null : formatInstant(barredAt),
  };
}

async function getRegistration({ registrations, devices }: RegistrationRoutesDeps, endpoint: string): Promise<Reply> {
  if (!(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const registration = await registrations.find(endpoint);
  if (registration === undefined) {
    return { problem: { type: "not-found", detail: `${JSON.stringify(endpoint)} is not registered now` } };
  }
  return { status: 200, body: registrationView(registration) };
}

async function listObjects({ registrations, devices, registry }: RegistrationRoutesDeps, endpoint: string): Promise<Reply> {
  if (!(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
  const last = await registrations.findLast(endpoint);
  const model = deviceModel(registry, last);
  const items = (last?.objects ?? []).map(({ id, version, instances }) => {
    const definition = model.definitionOf(id);
    const known = definition === undefined ? {} : { title: definition.name, name: model.names.format({ objectId: id }) };
    return { id, version, instances: [...instances], ...known };
  });
  return { status: 200, body: { items } };
}
