/** Paths into the object tree (LwM2M Core 1.1 §7.1): `/3`, `/3/0`, `/3/0/9`, `/3/0/7/1`. */
import { Lwm2mFormatError } from "./format-error.ts";

export interface Lwm2mPath {
  readonly objectId: number;
  readonly instanceId?: number;
  readonly resourceId?: number;
  readonly resourceInstanceId?: number;
}

/** Identifiers are 16 bit; 65,535 is reserved (LwM2M Core 1.1 §7.1). */
export const maxIdentifier = 65_534;

const pathPattern = /^\/(0|[1-9]\d{0,4})(?:\/(0|[1-9]\d{0,4}))?(?:\/(0|[1-9]\d{0,4}))?(?:\/(0|[1-9]\d{0,4}))?$/;

/** Undefined when the text is no path: wrong shape, leading zeros, or an identifier above 65,534. */
export function findPath(text: string): Lwm2mPath | undefined {
  const match = pathPattern.exec(text);
  if (match === null) return undefined;
  const ids = match
    .slice(1)
    .filter((part) => part !== undefined)
    .map(Number);
  return ids.every((id) => id <= maxIdentifier) ? pathOf(ids) : undefined;
}

/** As `findPath`, for text that a peer sent; throws `Lwm2mFormatError`. */
export function parsePath(text: string): Lwm2mPath {
  const path = findPath(text);
  if (path === undefined)
    throw new Lwm2mFormatError(
      "path",
      `not a path to an object, instance, resource or resource instance: ${JSON.stringify(text.slice(0, 64))}`,
    );
  return path;
}

/** One to four identifiers, outermost first. */
export function pathOf(ids: readonly number[]): Lwm2mPath {
  const [objectId, instanceId, resourceId, resourceInstanceId] = ids;
  if (objectId === undefined || ids.length > 4) throw new Error(`a path has 1 to 4 identifiers, got ${ids.length}`);
  if (instanceId === undefined) return { objectId };
  if (resourceId === undefined) return { objectId, instanceId };
  if (resourceInstanceId === undefined) return { objectId, instanceId, resourceId };
  return { objectId, instanceId, resourceId, resourceInstanceId };
}

/** The identifiers of a path, outermost first. */
export function pathIds(path: Lwm2mPath): readonly number[] {
  const { objectId, instanceId, resourceId, resourceInstanceId } = path;
  if (instanceId === undefined) return [objectId];
  if (resourceId === undefined) return [objectId, instanceId];
  if (resourceInstanceId === undefined) return [objectId, instanceId, resourceId];
  return [objectId, instanceId, resourceId, resourceInstanceId];
}

export function formatPath(path: Lwm2mPath): string {
  const { objectId, instanceId, resourceId, resourceInstanceId } = path;
  if (instanceId === undefined) return `/${objectId}`;
  if (resourceId === undefined) return `/${objectId}/${instanceId}`;
  if (resourceInstanceId === undefined) return `/${objectId}/${instanceId}/${resourceId}`;
  return `/${objectId}/${instanceId}/${resourceId}/${resourceInstanceId}`;
}

/** `outer` is `inner` itself or an ancestor of it. */
export function contains(outer: Lwm2mPath, inner: Lwm2mPath): boolean {
  return (
    outer.objectId === inner.objectId &&
    (outer.instanceId === undefined || outer.instanceId === inner.instanceId) &&
    (outer.resourceId === undefined || outer.resourceId === inner.resourceId) &&
    (outer.resourceInstanceId === undefined || outer.resourceInstanceId === inner.resourceInstanceId)
  );
}

export type PathLevel = "object" | "instance" | "resource" | "resourceInstance";

export function levelOf(path: Lwm2mPath): PathLevel {
  if (path.instanceId === undefined) return "object";
  if (path.resourceId === undefined) return "instance";
  return path.resourceInstanceId === undefined ? "resource" : "resourceInstance";
}
