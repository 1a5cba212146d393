/** What the client's version of LwM2M has, so that nothing is sent that it cannot know (LwM2M Core 1.2 §5.2.1). Pure. */
import { attributeSince, isAttributeName } from "@lwm2m/protocol/lwm2m/attributes";
import { findPath, type Lwm2mPath, levelOf } from "@lwm2m/protocol/lwm2m/path";
import type { CreateRefusal, OperationRequest } from "./operation.ts";
import { type PlanTarget, unseenTarget } from "./operation-plan.ts";

/** Something an operation needs, and the first version that has it. */
interface Need {
  readonly since: "1.1" | "1.2";
  readonly what: string;
}

/** Undefined where the version has all of it. */
export function versionFault(request: OperationRequest, target: PlanTarget): CreateRefusal | undefined {
  if (target === unseenTarget) return undefined;
  const lacking = needsOf(request).find(({ since }) => target.lwm2mVersion < since);
  if (lacking === undefined) return undefined;
  const detail = `${lacking.what} needs LwM2M ${lacking.since}; the device registered with ${target.lwm2mVersion}`;
  return { reason: "not-in-device-version", detail };
}

/** A Discover that says nothing of depth: two levels below an object, one below the rest (LwM2M Core 1.2 §6.3.3). */
export function usualDepth(path: Lwm2mPath): number {
  return levelOf(path) === "object" ? 2 : 1;
}

function needsOf(request: OperationRequest): readonly Need[] {
  const { kind, attributes = {}, depth, values = {} } = request;
  const needs: Need[] = [];
  for (const path of pathsOf(request)) {
    if (levelOf(path) !== "resourceInstance") continue;
    if (kind === "delete") needs.push({ since: "1.2", what: "delete of a resource instance" });
    needs.push({ since: "1.1", what: `${kind} of a resource instance` });
  }
  if (kind === "observeComposite") needs.push({ since: "1.1", what: `${kind} (a 1.0 device is observed path by path)` });
  // Before 1.2 they are written to each path, and the root is none.
  if (kind === "observeComposite" && Object.keys(attributes).length > 0 && request.paths?.includes("/"))
    needs.push({ since: "1.2", what: "observeComposite of / with attributes" });
  if (Object.values(values).includes(null)) needs.push({ since: "1.2", what: "writeComposite that removes a resource instance (null)" });
  for (const name of Object.keys(attributes)) {
    if (!isAttributeName(name)) continue;
    const since = attributeSince(name);
    if (since !== "1.0") needs.push({ since, what: `${kind} with the attribute ${name}` });
  }
  const [path] = pathsOf(request);
  // A smaller depth is done by leaving out what the device says too much.
  if (depth !== undefined && path !== undefined && depth > usualDepth(path))
    needs.push({ since: "1.2", what: `discover with depth ${depth}` });
  return needs;
}

function pathsOf({ path, paths = [], values = {} }: OperationRequest): readonly Lwm2mPath[] {
  return [path, ...paths, ...Object.keys(values)].map(findPath).filter((found) => found !== undefined);
}
