/** Send: values a device reports without being asked (LwM2M Core 1.1 §6.4.6): durable before the answer. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { decodeGatewayPayload } from "@lwm2m/protocol/lwm2m/gateway-payload";
import { decodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Leniency } from "../devices/leniency.ts";
import type { CoapRoute } from "../doors/coap-router.ts";
import type { Learn } from "../operations/news.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import type { RegistrationService } from "../registration/registration-service.ts";
import { StorageUnavailableError } from "../storage/collection.ts";

export interface SendDeps {
  readonly registrations: RegistrationService;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly learn: Learn;
  readonly leniency: Leniency;
}

/** How long a device waits before it tries again when the store is not there, seconds. */
const storeRetrySeconds = 30;

export function sendCoapRoute(deps: SendDeps): CoapRoute {
  return {
    prefix: "dp",
    attributes: { ct: `${ContentFormat.senmlJson} ${ContentFormat.senmlCbor}` },
    handle: (request) => receive(deps, request),
  };
}

async function receive(deps: SendDeps, request: IncomingRequest): Promise<OutgoingResponse> {
  if (request.path.length > 1) return { code: ResponseCode.notFound };
  if (request.method !== Method.post) return { code: ResponseCode.methodNotAllowed };
  const endpoint = deps.registrations.endpointAt(request.peer.address);
  const registration = endpoint === undefined ? undefined : await deps.registrations.find(endpoint);
  // Over NoSec the address is all that tells who sends.
  if (registration === undefined) return { code: ResponseCode.notFound };
  try {
    return await take(deps, registration, request);
  } catch (error) {
    if (error instanceof StorageUnavailableError) return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: storeRetrySeconds };
    if (!(error instanceof Lwm2mFormatError)) throw error;
    // No device behind a gateway is known here (LwM2M Gateway 1.1 §6): its values must not pass for the gateway's own.
    if (namesGatewayDevice(registration, request)) return { code: ResponseCode.notFound };
    const code = error.code === "unsupported-format" ? ResponseCode.unsupportedContentFormat : ResponseCode.badRequest;
    return { code, payload: new TextEncoder().encode(error.message) };
  }
}

/** Looked at only when the payload cannot be read as the device's own. */
function namesGatewayDevice({ rootPath }: Registration, { contentFormat, payload }: IncomingRequest): boolean {
  if (contentFormat === undefined) return false;
  const root = rootPath === "" ? {} : { rootPath: `/${rootPath}` };
  try {
    const groups = decodeGatewayPayload(contentFormat, payload, { typeOf: () => undefined, nowMs: 0, ...root });
    return [...groups.keys()].some((prefix) => prefix !== "");
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return false;
    throw error;
  }
}

async function take(deps: SendDeps, registration: Registration, request: IncomingRequest): Promise<OutgoingResponse> {
  const { registrations, registry, clock, learn, leniency } = deps;
  if (request.contentFormat === undefined) throw new Lwm2mFormatError("senml", "a Send needs a Content-Format");
  const receivedAt = clock.now();
  const { typeOf } = deviceModel(registry, registration);
  const root = registration.rootPath === "" ? {} : { rootPath: `/${registration.rootPath}` };
  const tolerances = new Set<string>();
  const switches = leniency.strict ? { strict: true } : { onTolerance: (code: string) => tolerances.add(code) };
  const values = decodePayload(request.contentFormat, request.payload, { typeOf, nowMs: receivedAt, ...root, ...switches });
  leniency.note(registration._id, "send", [...tolerances]);
  if (!values.every((value) => isRegistered(registration, value))) return { code: ResponseCode.notFound };
  await learn(registration._id, { source: "send", values, receivedAt });
  return { code: ResponseCode.changed, afterSent: () => registrations.noteContact(registration._id, "send") };
}

/** Only instances the device has registered may be reported (LwM2M Core 1.1 §6.4.6). */
function isRegistered({ objects }: Registration, { path }: PathValue): boolean {
  const object = objects.find(({ id }) => id === path.objectId);
  return object !== undefined && (path.instanceId === undefined || object.instances.includes(path.instanceId));
}
