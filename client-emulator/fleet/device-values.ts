/** What a device of a light fleet has to tell: derived from its number and its clock, so that ten thousand of them need no room. */
import { contains, formatPath, type Lwm2mPath, parsePath } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue, ResourceType, ResourceTypeLookup, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { FleetDevice } from "./fleet-device.ts";

interface Source {
  readonly path: Lwm2mPath;
  readonly type: ResourceType;
  readonly of: (device: FleetDevice, lifetimeSeconds: number) => ResourceValue;
}

const text = (path: string, of: (device: FleetDevice) => string): Source => ({
  path: parsePath(path),
  type: "string",
  of: (device) => ({ type: "string", value: of(device) }),
});
const integer = (path: string, of: (device: FleetDevice, lifetimeSeconds: number) => number): Source => ({
  path: parsePath(path),
  type: "integer",
  of: (device, lifetimeSeconds) => ({ type: "integer", value: BigInt(of(device, lifetimeSeconds)) }),
});
const float = (path: string, of: (device: FleetDevice) => number): Source => ({
  path: parsePath(path),
  type: "float",
  of: (device) => ({ type: "float", value: of(device) }),
});

/** Objects 1, 3 and 3303 of the OMA registry, what is mandatory of them and a little more. */
const sources: readonly Source[] = [
  integer("/1/0/0", () => 1),
  integer("/1/0/1", (_, lifetimeSeconds) => lifetimeSeconds),
  text("/1/0/7", () => "U"),
  text("/3/0/0", () => "Fleet"),
  text("/3/0/1", () => "light"),
  text("/3/0/2", ({ endpointName }) => endpointName),
  text("/3/0/3", () => "1.0.0"),
  integer("/3/0/9", ({ index }) => 100 - (index % 50)),
  text("/3/0/16", () => "U"),
  float("/3303/0/5700", temperatureOf),
  text("/3303/0/5701", () => "Cel"),
];

const objects: readonly string[] = ["/1", "/3", "/3303"];
const types = new Map(sources.map(({ path, type }) => [`${path.objectId}/${path.resourceId}`, { type, multiple: false }]));

export const temperaturePath = parsePath("/3303/0/5700");

/** Tenths that come and go: each change is one, and no two after one another are equal. */
export function temperatureOf({ index, changes }: FleetDevice): number {
  return 20 + (((index % 100) + changes) % 100) / 10;
}

export const typeOf: ResourceTypeLookup = (objectId, resourceId) => types.get(`${objectId}/${resourceId}`);

/** The values at and below the paths; empty when there are none. */
export function valuesAt(device: FleetDevice, targets: readonly CompositePath[], lifetimeSeconds: number): readonly PathValue[] {
  return sources
    .filter(({ path }) => targets.some((target) => target === "/" || contains(target, path)))
    .map(({ path, of }) => ({ path, value: of(device, lifetimeSeconds) }));
}

/** What Discover shows at and below a path (LwM2M Core 1.1 §6.3.2); empty when there is nothing. */
export function linksAt(target: Lwm2mPath): string {
  const resources = sources.filter(({ path }) => contains(target, path)).map(({ path }) => formatPath(path));
  if (resources.length === 0) return "";
  const above = target.resourceId === undefined ? [`/${target.objectId}/0`] : [];
  const object = target.instanceId === undefined ? [`/${target.objectId}`] : [];
  return [...object, ...above, ...resources].map((path) => `<${path}>`).join(",");
}

/** The object list of Register (LwM2M Core 1.1 §6.2.1). */
export function registrationLinks(contentFormats: readonly number[]): string {
  return [`</>;rt="oma.lwm2m";ct="${contentFormats.join(" ")}"`, ...objects.map((path) => `<${path}/0>`)].join(",");
}
