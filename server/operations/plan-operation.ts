/** Which request carries out an operation, or why none can. Pure. */
import type { DeviceModel } from "../registration/device-model.ts";
import { planPaths, planWriteComposite } from "./composite-plan.ts";
import type { OperationRequest } from "./operation.ts";
import type { PlanOutcome, PlanTarget } from "./operation-plan.ts";
import { planSingle } from "./single-plan.ts";

export function planOperation(request: OperationRequest, target: PlanTarget, model: DeviceModel): PlanOutcome {
  const { kind } = request;
  if (kind === "writeComposite") return planWriteComposite(request, target, model);
  if (kind === "readComposite" || kind === "observeComposite") return planPaths(request, target, model);
  if (kind === "cancelObserve" && request.paths !== undefined) return planPaths(request, target, model);
  return planSingle({ ...request, kind }, target, model);
}
