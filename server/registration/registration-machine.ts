/**
 * The rules of a registration (LwM2M Core 1.1 §6.2): what Register makes, what Update changes, when it ends.
 *
 *   (none | gone) --Register--> live      whatever was live is replaced: a new location, observations void
 *   live --Update--> live                 only what the Update names changes; the lifetime starts again
 *   live --De-register--> gone (deregistered)
 *   live --lifetime over--> gone (expired)
 *
 * A registration that is gone stays in the store as the last thing known of the device, under a dead location.
 */
import { impliedVersion } from "@lwm2m/object-registry/object-version";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { placeOf } from "./device-addresses.ts";
import type { RegisteredIdentity } from "./registered-identity.ts";
import type { RegisteredObject, Registration } from "./registration.ts";

export interface ObjectList {
  readonly rootPath: string;
  readonly contentFormats: readonly number[];
  readonly objects: readonly { readonly id: number; readonly version?: string; readonly instances: readonly number[] }[];
}

export interface RegisterFacts extends ObjectList {
  readonly endpoint: string;
  readonly address: SocketAddress;
  readonly identity: RegisteredIdentity;
  readonly lwm2mVersion: string;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber?: string;
  readonly extraParameters: { readonly [name: string]: string };
  readonly tolerances: readonly string[];
}

/** Absent: the Update does not name it. */
export interface UpdateFacts {
  readonly address: SocketAddress;
  readonly identity?: RegisteredIdentity;
  readonly lifetimeSeconds?: number;
  readonly binding?: string;
  readonly queueMode?: boolean;
  readonly smsNumber?: string;
  readonly extraParameters?: { readonly [name: string]: string };
  /** Complete, never a difference (LwM2M Core 1.1 §6.2.2). */
  readonly objectList?: ObjectList;
  readonly tolerances: readonly string[];
}

export type NewRegistration = Omit<Registration, "rev" | "outbox" | "hasOutbox">;

export function newRegistration(facts: RegisterFacts, locationId: string, nowMs: number): NewRegistration {
  const { endpoint, objects, rootPath, contentFormats, ...stated } = facts;
  return {
    ...stated,
    _id: endpoint,
    locationId,
    ...objectFields({ objects, rootPath, contentFormats }, facts.lwm2mVersion),
    registeredAt: nowMs,
    updatedAt: nowMs,
    expiresAt: expiryOf(facts.lifetimeSeconds, nowMs),
  };
}

export type UpdatedFields = Partial<Omit<NewRegistration, "_id" | "locationId">>;

/** The fields to write, and the names of those that say something new. */
export function updateRegistration(
  registration: Registration,
  facts: UpdateFacts,
  nowMs: number,
): { readonly fields: UpdatedFields & { readonly expiresAt: number | null }; readonly changed: readonly string[] } {
  const stated: UpdatedFields = {
    address: facts.address,
    ...(facts.identity === undefined ? {} : { identity: facts.identity }),
    ...(facts.lifetimeSeconds === undefined ? {} : { lifetimeSeconds: facts.lifetimeSeconds }),
    ...(facts.binding === undefined ? {} : { binding: facts.binding }),
    ...(facts.queueMode === undefined ? {} : { queueMode: facts.queueMode }),
    ...(facts.smsNumber === undefined ? {} : { smsNumber: facts.smsNumber }),
    ...(facts.extraParameters === undefined || Object.keys(facts.extraParameters).length === 0
      ? {}
      : { extraParameters: { ...registration.extraParameters, ...facts.extraParameters } }),
    ...(facts.objectList === undefined ? {} : updatedList(registration, facts.objectList)),
    ...(facts.tolerances.every((code) => registration.tolerances.includes(code))
      ? {}
      : { tolerances: [...new Set([...registration.tolerances, ...facts.tolerances])] }),
  };
  const before: UpdatedFields = registration;
  const changed = (Object.keys(stated) as (keyof UpdatedFields)[]).filter((name) =>
    name === "address" ? !isSameAddress(facts.address, registration.address) : !sameJson(stated[name], before[name]),
  );
  const changes = Object.fromEntries(changed.map((name) => [name, stated[name]]));
  const lifetimeSeconds = facts.lifetimeSeconds ?? registration.lifetimeSeconds;
  return { fields: { ...changes, address: facts.address, updatedAt: nowMs, expiresAt: expiryOf(lifetimeSeconds, nowMs) }, changed };
}

/** When it says so itself: after its habit, while that is not over, else at the end of its lifetime. */
export function nextContact(
  {
    updatedAt,
    expiresAt,
    contactIntervalMs,
  }: Pick<Registration, "updatedAt" | "expiresAt"> & { readonly contactIntervalMs?: number | null },
  nowMs: number,
): number | undefined {
  const habit = contactIntervalMs ?? 0;
  return habit > 0 && updatedAt + habit > nowMs ? updatedAt + habit : (expiresAt ?? undefined);
}

/** Lifetime 0 never ends (object 1, resource 1). */
export function expiryOf(lifetimeSeconds: number, nowMs: number): number | null {
  return lifetimeSeconds === 0 ? null : nowMs + lifetimeSeconds * 1_000;
}

/**
 * When the sweeper looks at a registration: at its end or before, never later. The time is in an index, so an Update leaves it where it
 * is while the device may still say something before it comes; a look that was too early costs one more.
 */
export function alarmOf(alarmAt: number | null, expiresAt: number | null, nowMs: number): number | null {
  if (alarmAt === null || expiresAt === null || alarmAt > expiresAt) return expiresAt;
  return alarmAt - nowMs >= (expiresAt - nowMs) / 2 ? alarmAt : expiresAt;
}

/** An Update may list objects without repeating the root link: then root path and formats stay. */
function updatedList(registration: Registration, list: ObjectList): UpdatedFields {
  const formats = list.contentFormats.length === 0 ? registration.contentFormats : list.contentFormats;
  const rootPath = list.rootPath === "" ? registration.rootPath : list.rootPath;
  return objectFields({ objects: list.objects, rootPath, contentFormats: formats }, registration.lwm2mVersion);
}

function objectFields(list: ObjectList, lwm2mVersion: string): Pick<Registration, "rootPath" | "contentFormats" | "objects"> {
  const objects = list.objects.map(
    ({ id, version, instances }): RegisteredObject => ({
      id,
      version: version ?? impliedVersion(id, lwm2mVersion),
      instances: instances.toSorted((a, b) => a - b),
    }),
  );
  return { rootPath: list.rootPath, contentFormats: list.contentFormats, objects: objects.toSorted((a, b) => a.id - b.id) };
}

function isSameAddress(one: SocketAddress, other: SocketAddress): boolean {
  return one.address === other.address && one.port === other.port && placeOf(one) === placeOf(other);
}

/** Plain values with their fields in the order this file gives them. */
function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
