/** Rules every format shares about the nodes of a payload (LwM2M Core 1.1 §7.4). */
import { Lwm2mFormatError } from "./format-error.ts";
import { contains, formatPath, type Lwm2mPath, levelOf } from "./path.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceType, ResourceTypeLookup, ResourceValue } from "./value.ts";

const defaultMaxRecords = 10_000;

/** Throws `path` when a value lies outside the path that was asked for. */
export function assertUnder(path: Lwm2mPath, values: readonly PathValue[]): void {
  for (const value of values) {
    if (!contains(path, value.path)) {
      throw new Lwm2mFormatError("path", `${formatPath(value.path)} is not under ${formatPath(path)}`);
    }
  }
}

export function maxRecordsOf(context: Pick<DecodeContext, "limits">): number {
  return context.limits?.maxRecords ?? defaultMaxRecords;
}

export function assertRecordCount(count: number, context: Pick<DecodeContext, "limits">): void {
  const maxRecords = maxRecordsOf(context);
  if (count > maxRecords) throw new Lwm2mFormatError("limit", `more than ${maxRecords} records`);
}

/** A node in one shape a kind: what is known of it and nothing else. Spread is ten times as dear, and this runs once a value. */
export function nodeOf(path: Lwm2mPath, value: ResourceValue | undefined, timeMs?: number): PathValue {
  if (value === undefined) return timeMs === undefined ? { path } : { path, timeMs };
  return timeMs === undefined ? { path, value } : { path, value, timeMs };
}

/** What the model knows of the resource at this path; undefined for unknown ones. */
export function resourceAt(path: Lwm2mPath, context: Pick<DecodeContext, "typeOf">): ReturnType<ResourceTypeLookup> {
  return path.resourceId === undefined ? undefined : context.typeOf(path.objectId, path.resourceId);
}

/** The type a value at this path has; undefined for unknown resources. */
export function typeAt(path: Lwm2mPath, context: Pick<DecodeContext, "typeOf">): ResourceType | undefined {
  return resourceAt(path, context)?.type;
}

/**
 * Where a value belongs that came at resource level: a multi-instance resource sent as if it were single is taken as its instance 0.
 * Throws `path` for a value above resource level. `resource` is what the model knows of it, where the caller has looked already.
 */
export function valuePath(path: Lwm2mPath, context: DecodeContext, resource = resourceAt(path, context)): Lwm2mPath {
  const { objectId, instanceId, resourceId } = path;
  if (instanceId === undefined || resourceId === undefined) {
    throw new Lwm2mFormatError("path", `${formatPath(path)} is no resource and has no value`);
  }
  if (path.resourceInstanceId !== undefined || resource?.multiple !== true) return path;
  tolerate(context, "single-value-for-multiple");
  return { objectId, instanceId, resourceId, resourceInstanceId: 0 };
}

/** Ends the reading of a value that threw `error`: told to the caller who wants to know of it, thrown with its path otherwise. */
export function reportUnreadable(error: unknown, path: Lwm2mPath, context: Pick<DecodeContext, "onUnreadable">): void {
  if (!(error instanceof Lwm2mFormatError)) throw error;
  if (error.code !== "value" || context.onUnreadable === undefined) {
    throw new Lwm2mFormatError(error.code, `${formatPath(path)}: ${error.message}`);
  }
  context.onUnreadable(path, error.message);
}

/** The path of a format that carries one value and no path; throws `path` unless a resource or resource instance was asked for. */
export function singleValuePath(context: DecodeContext): Lwm2mPath {
  if (context.path === undefined) throw new Lwm2mFormatError("path", "this format carries a single value without a path");
  const level = levelOf(context.path);
  if (level !== "resource" && level !== "resourceInstance") {
    throw new Lwm2mFormatError("path", `this format carries a single value, not the ${level} ${formatPath(context.path)}`);
  }
  return valuePath(context.path, context);
}

/** The one value that a single-value format can carry; throws `value`. */
export function onlyValue(values: readonly PathValue[]): ResourceValue {
  const [node] = values;
  if (node?.value === undefined || values.length !== 1) {
    throw new Lwm2mFormatError("value", `this format carries exactly one value, got ${values.length} nodes`);
  }
  return node.value;
}
