/**
 * Send: values a device reports without being asked (LwM2M Core 1.1 §6.4.6): durable before the answer. Malformed as a whole it is 4.00;
 * a resource that no model knows is kept as what its format says; one that its type cannot read is left out and told of, and costs no other.
 */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { decodePayload } from "@lwm2m/protocol/lwm2m/payload";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Leniency } from "../devices/leniency.ts";
import type { CoapRoute } from "../doors/coap-router.ts";
import type { Learn } from "../operations/news.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration } from "../registration/registration.ts";
import type { RegistrationService } from "../registration/registration-service.ts";
import { isSecretPath } from "../registration/secret-paths.ts";
import { StorageUnavailableError } from "../storage/collection.ts";
import { assignValues, findGatewayValues, type GatewayDeps } from "./gateway-send.ts";
import type { SendReports } from "./send-reports.ts";

export interface SendDeps extends GatewayDeps {
  readonly registrations: RegistrationService;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly learn: Learn;
  readonly leniency: Leniency;
  readonly reports: SendReports;
}

/** Values left out that one event tells of. */
const toldFaults = 20;

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
    return await answerTo(deps, registration, request);
  } catch (error) {
    if (error instanceof StorageUnavailableError) return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: storeRetrySeconds };
    throw error;
  }
}

async function answerTo(deps: SendDeps, registration: Registration, request: IncomingRequest): Promise<OutgoingResponse> {
  try {
    return await take(deps, registration, request);
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    const ofGateway = await takeOfGateway(deps, registration, request);
    if (ofGateway !== undefined) return ofGateway;
    const code = error.code === "unsupported-format" ? ResponseCode.unsupportedContentFormat : ResponseCode.badRequest;
    return refused(deps, registration, code, error.message);
  }
}

/** Nothing of it was taken: the device hears why, and so does whoever reads the events. */
async function refused({ reports }: SendDeps, { _id }: Registration, code: ResponseCode, detail: string): Promise<OutgoingResponse> {
  await reports.note(_id, "send.refused", { coapCode: formatCode(code), detail });
  return { code, payload: new TextEncoder().encode(detail) };
}

/** Values of devices behind it may be of objects that nobody registered (LwM2M Gateway 1.1 §8.3.3). */
async function takeOfGateway(deps: SendDeps, registration: Registration, request: IncomingRequest): Promise<OutgoingResponse | undefined> {
  const { registrations, registry, clock, learn, leniency } = deps;
  const { _id, rootPath } = registration;
  const receivedAt = clock.now();
  const { typeOf } = deviceModel(registry, registration);
  const root = rootPath === "" ? {} : { rootPath: `/${rootPath}` };
  const groups = findGatewayValues(request, { typeOf, nowMs: receivedAt, ...root, strict: leniency.strict });
  if (groups === undefined) return undefined;
  const foreign = groups.get("")?.find((value) => !isRegistered(registration, value));
  if (foreign !== undefined) return refused(deps, registration, ResponseCode.notFound, unregistered(foreign));
  const outcome = await assignValues(deps, _id, groups);
  if (!outcome.ok) return refused(deps, registration, ResponseCode.notFound, outcome.detail);
  for (const [endpoint, values] of outcome.values) await learn(endpoint, { source: "send", values, receivedAt });
  return { code: ResponseCode.changed, afterSent: () => registrations.noteContact(_id, "send") };
}

function unregistered({ path }: Pick<PathValue, "path">): string {
  return `${formatPath(path)}: the device has not registered that instance`;
}

async function take(deps: SendDeps, registration: Registration, request: IncomingRequest): Promise<OutgoingResponse> {
  const { registrations, registry, clock, learn, leniency, reports } = deps;
  if (request.contentFormat === undefined) throw new Lwm2mFormatError("senml", "a Send needs a Content-Format");
  const receivedAt = clock.now();
  const model = deviceModel(registry, registration);
  const root = registration.rootPath === "" ? {} : { rootPath: `/${registration.rootPath}` };
  const tolerances = new Set<string>();
  const faults: { readonly path: Lwm2mPath; readonly detail: string }[] = [];
  const onUnreadable = (path: Lwm2mPath, why: string): void => {
    tolerances.add("unreadable-value");
    // What nobody is to see is in no event either.
    faults.push({ path, detail: isSecretPath(path, model) ? "the value does not fit the resource" : why });
  };
  const lenient = { onTolerance: (code: string) => tolerances.add(code), onUnreadable };
  const switches = leniency.strict ? { strict: true } : lenient;
  const values = decodePayload(request.contentFormat, request.payload, { typeOf: model.typeOf, nowMs: receivedAt, ...root, ...switches });
  leniency.note(registration._id, "send", [...tolerances]);
  const isForeign = (node: Pick<PathValue, "path">): boolean => !isRegistered(registration, node);
  const foreign = values.find(isForeign) ?? faults.find(isForeign);
  if (foreign !== undefined) return refused(deps, registration, ResponseCode.notFound, unregistered(foreign));
  const [first] = faults;
  if (values.length === 0 && first !== undefined) throw new Lwm2mFormatError("value", `${formatPath(first.path)}: ${first.detail}`);
  await learn(registration._id, { source: "send", values, receivedAt });
  if (faults.length > 0) {
    const told = faults.slice(0, toldFaults).map(({ path, detail }) => ({ path: formatPath(path), detail }));
    await reports.note(registration._id, "send.incomplete", { leftOutValues: faults.length, values: told });
  }
  return { code: ResponseCode.changed, afterSent: () => registrations.noteContact(registration._id, "send") };
}

/** Only instances the device has registered may be reported (LwM2M Core 1.1 §6.4.6). */
function isRegistered({ objects }: Registration, { path }: Pick<PathValue, "path">): boolean {
  const object = objects.find(({ id }) => id === path.objectId);
  return object !== undefined && (path.instanceId === undefined || object.instances.includes(path.instanceId));
}
