/** Several operations as one request (LwM2M Core 1.1 §6.3.1, §6.3.3, §6.3.8, §6.3.9). Pure. */
import { Method } from "@lwm2m/protocol/coap/codes";
import { formatPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { MergedForm } from "../planning/waiting.ts";
import { type DeviceModel, uriPath } from "../registration/device-model.ts";
import { patchBody, planPaths, rootSegments } from "./composite-plan.ts";
import { findEncoding, type OperationPlan, type PlanTarget } from "./operation-plan.ts";
import { planSingle } from "./single-plan.ts";
import { valuesBody } from "./values-body.ts";

/** `plans`: those of the operations by themselves. Undefined where the device has no format for all of it. */
export function mergedPlan(
  form: MergedForm,
  paths: readonly Lwm2mPath[],
  plans: readonly OperationPlan[],
  target: PlanTarget,
  model: DeviceModel,
): OperationPlan | undefined {
  const [path] = paths;
  if (path === undefined) throw new Error("a request of several operations names a path");
  switch (form) {
    case "read": {
      const outcome = planSingle({ kind: "read", path: formatPath(path) }, target, model);
      return outcome.ok ? outcome.plan : undefined;
    }
    case "readComposite": {
      const outcome = planPaths({ kind: "readComposite", path: "/", paths: paths.map(formatPath) }, target, model);
      return outcome.ok ? outcome.plan : undefined;
    }
    case "writeInstance":
    case "writeComposite":
      return writePlan(form, path, plans, target, model);
  }
}

function writePlan(
  form: "writeInstance" | "writeComposite",
  first: Lwm2mPath,
  plans: readonly OperationPlan[],
  target: PlanTarget,
  model: DeviceModel,
): OperationPlan | undefined {
  // Those that write the same value to a resource are one there.
  const written = [...new Map(plans.flatMap((plan) => plan.written).map((node) => [formatPath(node.path), node])).values()];
  const body = form === "writeInstance" ? valuesBody(written, first, target, model) : patchBody(written, target, model);
  const encoding = findEncoding(body);
  if (encoding === undefined) return undefined;
  const addressed =
    form === "writeInstance"
      ? ({ method: Method.post, path: uriPath(target, first) } as const)
      : ({ method: Method.ipatch, path: rootSegments(target) } as const);
  return {
    paths: written.map(({ path }) => path),
    request: { ...addressed, ...encoding },
    body,
    written,
    removed: plans.flatMap(({ removed }) => removed),
  };
}
