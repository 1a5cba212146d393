import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { parseExecuteArguments } from "@lwm2m/protocol/lwm2m/execute-arguments";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { locate } from "./access.ts";
import type { ExecuteOutcome, ObjectTree } from "./object-tree.ts";
import { refuse } from "./outcome.ts";

/** Execute with its argument text (LwM2M Core 1.1 §6.3.4). */
export function execute(tree: ObjectTree, path: Lwm2mPath, text: string): ExecuteOutcome {
  const target = locate(tree, path);
  if (!target.ok) return target;
  const { object, resource } = target;
  if (path.instanceId === undefined || resource === undefined || path.resourceInstanceId !== undefined || resource.operations !== "E") {
    return refuse(ResponseCode.methodNotAllowed, `${formatPath(path)} is not executable`);
  }
  const problem = argumentProblem(text);
  if (problem !== undefined) return refuse(ResponseCode.badRequest, problem);
  const outcome = object.behaviour.execute?.(path.instanceId, resource.id, text);
  if (outcome === undefined) throw new Error(`object ${path.objectId} lists executable resource ${resource.id} without behaviour`);
  return outcome;
}

function argumentProblem(text: string): string | undefined {
  try {
    parseExecuteArguments(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof Lwm2mFormatError)) throw error;
    return error.message;
  }
}
