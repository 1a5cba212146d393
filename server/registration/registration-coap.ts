/** The registration interface: Register, Update, De-register (LwM2M Core 1.1 §6.2; codes: LwM2M Transport 1.1 §6.4.2). */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingResponse, Peer } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { parseRegisterPayload, type RegisterPayload } from "@lwm2m/protocol/lwm2m/register-payload";
import { type Lwm2mVersion, parseRegisterQuery, parseUpdateQuery } from "@lwm2m/protocol/lwm2m/register-query";
import type { Leniency } from "../devices/leniency.ts";
import type { RefusalReason } from "../devices/refusal-reports.ts";
import type { Newcomer } from "../devices/unknown-devices.ts";
import type { CoapRoute } from "../doors/coap-router.ts";
import { StorageUnavailableError } from "../storage/collection.ts";
import { placeOf } from "./device-addresses.ts";
import type { DeviceIdentities, IdentityRefusal } from "./device-identities.ts";
import type { ObjectProfiles } from "./object-profiles.ts";
import { registeredIdentity } from "./registered-identity.ts";
import type { Registration } from "./registration.ts";
import type { RegistrationAdmission } from "./registration-admission.ts";
import type { ObjectList } from "./registration-machine.ts";
import type { RegistrationService } from "./registration-service.ts";

/** How long a device waits before it tries again when the store is not there, seconds. */
const storeRetrySeconds = 30;
/** The same when there is no place in quarantine: somebody has to look at those that are there. */
const quarantineRetrySeconds = 900;

export function registrationCoapRoute(door: RegistrationDoor): CoapRoute {
  return {
    prefix: "rd",
    // The resource type of a directory (RFC 9176 §4.1), which the registration interface comes from and clients look for.
    attributes: { rt: "core.rd", ct: ContentFormat.linkFormat },
    handle: async (request) => {
      try {
        return await handle(door, request);
      } catch (error) {
        return refusalOf(error);
      }
    },
  };
}

export interface RegistrationDoor {
  readonly registrations: RegistrationService;
  readonly identities: DeviceIdentities;
  readonly leniency: Leniency;
  readonly newcomers: Newcomers;
  readonly profiles: Pick<ObjectProfiles, "resolve">;
  /** Without it every Register is let in. */
  readonly admission?: Pick<RegistrationAdmission, "ask">;
}

export interface Newcomers {
  /** Undefined: it may register. */
  findRefusal(newcomer: Newcomer): Promise<RefusalReason | undefined>;
}

/** Deviations of a registration request beside those of its query and its list. */
export type RegistrationTolerance = "empty-path-segment" | "missing-content-format" | "ignored-parameter" | "non-confirmable";

function handle(door: RegistrationDoor, request: IncomingRequest): OutgoingResponse | Promise<OutgoingResponse> {
  const { leniency } = door;
  // A server URI that ends in a slash makes some devices send an empty last segment.
  const trailing = request.path.at(-1) === "";
  if (trailing) refuseStrictly("empty-path-segment", leniency);
  const [, locationId, ...deeper] = trailing ? request.path.slice(0, -1) : request.path;
  const needed: readonly RegistrationTolerance[] = trailing ? ["empty-path-segment"] : [];
  if (deeper.length > 0) return { code: ResponseCode.notFound };
  if (locationId === undefined) {
    return request.method === Method.post ? admitted(door, request, needed) : { code: ResponseCode.methodNotAllowed };
  }
  switch (request.method) {
    case Method.post:
      return update(door, locationId, request, needed);
    case Method.delete:
      return deregister(door, locationId, request.peer);
    default:
      return { code: ResponseCode.methodNotAllowed };
  }
}

/** Answered before anything is looked up: in a storm most are put off. */
async function admitted(
  door: RegistrationDoor,
  request: IncomingRequest,
  needed: readonly RegistrationTolerance[],
): Promise<OutgoingResponse> {
  const ticket = await door.admission?.ask(nameOf(request));
  if (ticket === undefined) return register(door, request, needed);
  if (!ticket.ok) return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: ticket.maxAgeSeconds };
  try {
    return await register(door, request, needed);
  } finally {
    ticket.done();
  }
}

/** By which the device is known when it comes back: what it calls itself, else where it is. */
function nameOf({ query, peer }: IncomingRequest): string {
  return query.find((parameter) => parameter.startsWith("ep=")) ?? placeOf(peer.address);
}

async function register(
  { registrations, identities, newcomers, profiles, leniency }: RegistrationDoor,
  request: IncomingRequest,
  needed: readonly RegistrationTolerance[],
): Promise<OutgoingResponse> {
  const query = parseRegisterQuery(request.query, leniency);
  const { endpointName, additional, profileIds, tolerances, ...stated } = query;
  const admission = await identities.admit(request.peer, endpointName);
  if (!admission.ok) return { code: refusalCode(admission.reason, request.peer), ...diagnostic(admission.detail) };
  const list = objectListOf(request, leniency);
  const objectList = await profiles.resolve(profileIds, list?.objects);
  if (objectList === undefined) return withoutList(profileIds, query.lwm2mVersion);
  const extra = extraParameters(additional, profileIds, leniency);
  // LwM2M Core 1.1 §6: registration requests are confirmable over UDP.
  if (!request.confirmable) refuseStrictly("non-confirmable", leniency);
  const unconfirmed: readonly RegistrationTolerance[] = request.confirmable ? [] : ["non-confirmable"];
  const seen = [...needed, ...tolerances, ...(list?.tolerances ?? []), ...extra.tolerances, ...unconfirmed];
  const { endpoint } = admission;
  const { address } = request.peer;
  const refusal = await newcomers.findRefusal({ endpoint, isProven: address.association !== undefined, address });
  if (refusal !== undefined) return refusalOfUnknown(refusal);
  const registration = await registrations.register({
    ...stated,
    ...objectList,
    endpoint,
    address,
    identity: registeredIdentity(request.peer.identity),
    extraParameters: extra.kept,
    tolerances: seen,
  });
  leniency.note(registration._id, "register", seen);
  return {
    code: ResponseCode.created,
    locationPath: ["rd", registration.locationId],
    afterSent: () => registrations.announce(registration._id, "registered"),
  };
}

async function update(
  door: RegistrationDoor,
  locationId: string,
  request: IncomingRequest,
  needed: readonly RegistrationTolerance[],
): Promise<OutgoingResponse> {
  const { registrations, profiles, leniency } = door;
  const present = await findOwn(door, locationId, request.peer);
  if (present === undefined) return { code: ResponseCode.notFound };
  const { additional, profileIds, tolerances, ...stated } = parseUpdateQuery(request.query, present.lwm2mVersion as Lwm2mVersion, leniency);
  const list = objectListOf(request, leniency);
  const objectList = await profiles.resolve(profileIds ?? [], list?.objects);
  // 4.09 is not among the answers to an Update.
  if (profileIds !== undefined && objectList === undefined) return badRequest("pid: nobody knows this profile, and there is no list");
  const extra = extraParameters(additional, profileIds ?? [], leniency);
  const seen = [...needed, ...tolerances, ...(list?.tolerances ?? []), ...extra.tolerances];
  // The location is a secret of the device, so over NoSec an Update from a new address is the device behind a new NAT binding.
  const updated = await registrations.update(present, {
    ...stated,
    address: request.peer.address,
    identity: registeredIdentity(request.peer.identity),
    extraParameters: extra.kept,
    ...(objectList === undefined ? {} : { objectList }),
    tolerances: seen,
  });
  if (updated === undefined) return { code: ResponseCode.notFound };
  leniency.note(updated._id, "update", seen);
  return { code: ResponseCode.changed, afterSent: () => registrations.announce(updated._id, "contact") };
}

async function deregister(door: RegistrationDoor, locationId: string, peer: Peer): Promise<OutgoingResponse> {
  const present = await findOwn(door, locationId, peer);
  const found = present !== undefined && (await door.registrations.deregister(locationId));
  return { code: found ? ResponseCode.deleted : ResponseCode.notFound };
}

/**
 * The live registration at a location, if it is that of who asks. Another device's is not told apart from none: a location must not be
 * found by trying.
 */
async function findOwn({ registrations, identities }: RegistrationDoor, locationId: string, peer: Peer) {
  const present = await registrations.findAt(locationId);
  return present !== undefined && isSameRealm(present, peer) && (await identities.is(peer, present._id)) ? present : undefined;
}

/** What was registered over DTLS is never continued without, and the other way round: that takes a Register. */
function isSameRealm({ identity }: Registration, peer: Peer): boolean {
  return (identity.kind === "none") === (peer.address.association === undefined);
}

/** LwM2M Transport 1.1 §6.4.2: 4.00 for a name that does not fit, 4.03 for who may not come at all. */
function refusalCode(reason: IdentityRefusal, peer: Peer): ResponseCode {
  if (reason === "other-endpoint") return ResponseCode.badRequest;
  // Without a security context a name is a parameter that is missing.
  return reason === "unnamed" && peer.address.association === undefined ? ResponseCode.badRequest : ResponseCode.forbidden;
}

/** LwM2M Core 1.2 §6.2.1: 4.09 asks for the list. Before 1.2 it is a part of the request that is missing. */
function withoutList(profileIds: readonly string[], version: Lwm2mVersion): OutgoingResponse {
  if (profileIds.length > 0) return { code: ResponseCode.conflict, ...diagnostic("pid: nobody knows this profile, send the list") };
  return version === "1.2"
    ? { code: ResponseCode.conflict, ...diagnostic("the object list is missing") }
    : badRequest("the object list is missing");
}

function refusalOfUnknown(reason: RefusalReason): OutgoingResponse {
  if (reason === "quarantine-full") return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: quarantineRetrySeconds };
  return { code: ResponseCode.forbidden, ...diagnostic("nobody expects this endpoint name here") };
}

/** Undefined without a payload; throws `Lwm2mFormatError`. A payload without Content-Format is taken for link format. */
function objectListOf(
  request: IncomingRequest,
  leniency: Leniency,
): { readonly objects: ObjectList; readonly tolerances: readonly string[] } | undefined {
  if (request.payload.length === 0) return undefined;
  if (request.contentFormat !== undefined && request.contentFormat !== ContentFormat.linkFormat) {
    throw new Lwm2mFormatError("unsupported-format", `the object list has content format ${request.contentFormat}, expected 40`);
  }
  if (request.contentFormat === undefined) refuseStrictly("missing-content-format", leniency);
  const payload = parseRegisterPayload(request.payload, leniency);
  const tolerances = [...payload.tolerances, ...(request.contentFormat === undefined ? ["missing-content-format"] : [])];
  return { objects: objectsIn(payload), tolerances };
}

function objectsIn({ rootPath, contentFormats, objects }: RegisterPayload): ObjectList {
  return { rootPath: rootPath.replace(/^\/+|\/+$/g, ""), contentFormats, objects };
}

/** Names that are a field in every store; devices send others by mistake, and they are no reason to refuse them. */
const parameterName = /^[a-zA-Z][\w-]{0,63}$/;

function extraParameters(
  additional: { readonly [name: string]: string },
  profileIds: readonly string[],
  leniency: Leniency,
): { readonly kept: { readonly [name: string]: string }; readonly tolerances: readonly string[] } {
  const stated = Object.entries(additional);
  const kept = stated.filter(([name]) => parameterName.test(name));
  if (kept.length < stated.length) refuseStrictly("ignored-parameter", leniency);
  const profiles = profileIds.length === 0 ? {} : { pid: profileIds.join(",") };
  return { kept: { ...Object.fromEntries(kept), ...profiles }, tolerances: kept.length < stated.length ? ["ignored-parameter"] : [] };
}

function refuseStrictly(tolerance: RegistrationTolerance, { strict }: Leniency): void {
  if (strict) throw new Lwm2mFormatError("query", `not accepted in strict mode: ${tolerance}`);
}

function refusalOf(error: unknown): OutgoingResponse {
  if (error instanceof StorageUnavailableError) return { code: ResponseCode.serviceUnavailable, maxAgeSeconds: storeRetrySeconds };
  if (!(error instanceof Lwm2mFormatError)) throw error;
  switch (error.code) {
    case "version":
      return { code: ResponseCode.preconditionFailed, ...diagnostic(error.message) };
    case "unsupported-format":
      return { code: ResponseCode.unsupportedContentFormat, ...diagnostic(error.message) };
    default:
      return badRequest(error.message);
  }
}

function badRequest(why: string): OutgoingResponse {
  return { code: ResponseCode.badRequest, ...diagnostic(why) };
}

/** RFC 7252 §5.5.2: for people, without a Content-Format. */
function diagnostic(text: string): { readonly payload: Uint8Array } {
  return { payload: new TextEncoder().encode(text) };
}
