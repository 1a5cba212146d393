/** Record names to paths (LwM2M Core 1.1 §7.4.4): read once a record, so by hand instead of by pattern. */
import { Lwm2mFormatError } from "./format-error.ts";
import { type Lwm2mPath, maxIdentifier } from "./path.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { quoted } from "./scalar.ts";
import { tolerate } from "./tolerance.ts";

const slash = 0x2f;
const digitZero = 0x30;
const digitNine = 0x39;
/** No identifier yet. */
const none = -1;
const maxLevels = 4;

/** Base name and name as one path; the root path of the client is taken off. Throws `path`. */
export function resolveName(baseName: string, name: string, context: DecodeContext): Lwm2mPath {
  const plain = context.rootPath === undefined ? findPlainPath(baseName, name) : undefined;
  return plain ?? resolveAnyName(baseName, name, context);
}

/**
 * The short cut for names that need neither tolerance nor refusal: `resolveAnyName` gives the same for every text that this one takes.
 * It reads the two texts in place, because joining them and a list of identifiers cost more than all digits of a path.
 */
export function findPlainPath(baseName: string, name: string): Lwm2mPath | undefined {
  const length = baseName.length + name.length;
  if (length === 0 || (baseName === "" ? name : baseName).charCodeAt(0) !== slash) return undefined;
  let objectId = none;
  let instanceId = none;
  let resourceId = none;
  let id = none;
  let levels = 1;
  for (let at = 1; at < length; at++) {
    const code = at < baseName.length ? baseName.charCodeAt(at) : name.charCodeAt(at - baseName.length);
    if (code === slash) {
      if (id === none || levels === maxLevels) return undefined;
      if (levels === 1) objectId = id;
      else if (levels === 2) instanceId = id;
      else resourceId = id;
      levels++;
      id = none;
    } else {
      // A zero before other digits is refused, so is all that is no digit.
      if (code < digitZero || code > digitNine || id === 0) return undefined;
      id = id === none ? code - digitZero : id * 10 + code - digitZero;
      if (id > maxIdentifier) return undefined;
    }
  }
  if (id === none) return undefined;
  if (levels === 1) return { objectId: id };
  if (levels === 2) return { objectId, instanceId: id };
  if (levels === 3) return { objectId, instanceId, resourceId: id };
  return { objectId, instanceId, resourceId, resourceInstanceId: id };
}

/** The whole rule, with what is tolerated and what is thrown. */
export function resolveAnyName(baseName: string, name: string, context: DecodeContext): Lwm2mPath {
  const full = withoutRoot(baseName + name, context.rootPath);
  const ids: number[] = [];
  let at = 0;
  if (full.charCodeAt(0) === slash) at = 1;
  else if (full !== "") tolerate(context, "senml-name-without-slash", "path");
  while (at < full.length) {
    const end = identifierEnd(full, at);
    ids.push(identifier(full, at, end));
    at = end + 1;
    if (at === full.length) tolerate(context, "senml-trailing-slash", "path");
  }
  return pathFrom(ids, full);
}

function withoutRoot(full: string, rootPath: string | undefined): string {
  return rootPath !== undefined && full.startsWith(`${rootPath}/`) ? full.slice(rootPath.length) : full;
}

function identifierEnd(text: string, from: number): number {
  const end = text.indexOf("/", from);
  return end === -1 ? text.length : end;
}

function identifier(text: string, from: number, end: number): number {
  const leadingZero = end - from > 1 && text.charCodeAt(from) === digitZero;
  let id = 0;
  for (let at = from; at < end; at++) {
    const digit = text.charCodeAt(at) - digitZero;
    if (digit < 0 || digit > 9) throw noPath(text);
    id = id * 10 + digit;
  }
  if (end === from || leadingZero || id > maxIdentifier) throw noPath(text);
  return id;
}

function pathFrom(ids: readonly number[], text: string): Lwm2mPath {
  const [objectId, instanceId, resourceId, resourceInstanceId] = ids;
  if (objectId === undefined || ids.length > maxLevels) throw noPath(text);
  if (instanceId === undefined) return { objectId };
  if (resourceId === undefined) return { objectId, instanceId };
  if (resourceInstanceId === undefined) return { objectId, instanceId, resourceId };
  return { objectId, instanceId, resourceId, resourceInstanceId };
}

function noPath(text: string): Lwm2mFormatError {
  return new Lwm2mFormatError("path", `record name is no path: ${quoted(text)}`);
}
