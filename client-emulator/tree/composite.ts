/** Read and write of several paths at once (LwM2M Core 1.1 §6.3.8, §6.3.9). */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { isBootstrapOnly, locate } from "./access.ts";
import { type ObjectTree, related } from "./object-tree.ts";
import { type Done, done, type Refusal, refuse } from "./outcome.ts";
import { read } from "./read.ts";
import { checkWrite, write } from "./write.ts";

interface InstanceValues {
  readonly path: Lwm2mPath;
  readonly values: PathValue[];
}

/** As much as there is: what does not exist or cannot be read is left out. */
export function readComposite(tree: ObjectTree, paths: readonly CompositePath[]): readonly PathValue[] {
  const values = new Map<string, PathValue>();
  for (const path of paths.flatMap((each) => expanded(tree, each))) {
    const outcome = read(tree, path);
    if (!outcome.ok) continue;
    for (const value of outcome.values) if (value.value !== undefined) values.set(formatPath(value.path), value);
  }
  return [...values.values()];
}

/** All or nothing: every target must be there, and writable. */
export function writeComposite(tree: ObjectTree, values: readonly PathValue[]): Done | Refusal {
  const groups = new Map<string, InstanceValues>();
  for (const value of values) {
    const { objectId, instanceId, resourceId } = value.path;
    const target = locate(tree, value.path);
    if (!target.ok) return target;
    if (instanceId === undefined || resourceId === undefined) {
      return refuse(ResponseCode.badRequest, `${formatPath(value.path)}: a value belongs to a resource`);
    }
    const path = { objectId, instanceId };
    const group: InstanceValues = groups.get(formatPath(path)) ?? { path, values: [] };
    groups.set(formatPath(path), group);
    group.values.push(value);
  }
  for (const group of groups.values()) {
    const checked = checkWrite(tree, group.path, "update", group.values);
    if (!checked.ok) return checked;
  }
  for (const group of groups.values()) {
    const written = write(tree, group.path, "update", group.values);
    if (!written.ok) return written;
  }
  return done;
}

/** A change at `path` concerns one of the targets. */
export function touches(targets: readonly CompositePath[], path: Lwm2mPath): boolean {
  return targets.some((target) => (target === "/" ? !isBootstrapOnly(path.objectId) : related(target, path)));
}

function expanded(tree: ObjectTree, path: CompositePath): readonly Lwm2mPath[] {
  return path === "/" ? tree.objects().map((object) => ({ objectId: object.definition.id })) : [path];
}
