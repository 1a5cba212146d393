/** Why an operation is not accepted: the device, its model, its sleep, its queue. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { Devices } from "../devices/device.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import type { CreateRefusal, OperationRequest } from "./operation.ts";
import { unseenTarget } from "./operation-plan.ts";
import { planOperation } from "./plan-operation.ts";

export interface RefusalDeps {
  readonly devices: Pick<Devices, "isKnown">;
  readonly registrations: Pick<Registrations, "findLast" | "isAwake">;
  readonly registry: ObjectRegistry;
}

/** How soon a full queue may have room again, for Retry-After. */
const fullQueueRetrySeconds = 60;

/** Undefined: it may come. `count` looks at what is open for the device. */
export async function findRefusal(
  { devices, registrations, registry }: RefusalDeps,
  endpoint: string,
  request: OperationRequest,
  count: () => Promise<{ readonly open: number; readonly most: number }>,
): Promise<CreateRefusal | undefined> {
  if (!(await devices.isKnown(endpoint))) {
    return { reason: "device-unknown", detail: `no device named ${JSON.stringify(endpoint)} has registered here` };
  }
  const last = await registrations.findLast(endpoint);
  const planned = planOperation(request, last ?? unseenTarget, deviceModel(registry, last));
  if (!planned.ok) return planned.refusal;
  if (request.onOffline === "fail" && !registrations.isAwake(endpoint)) {
    return {
      reason: "device-unreachable",
      detail: "the device is asleep or not registered, and the operation may not wait (onOffline: fail)",
    };
  }
  const { open, most } = await count();
  if (open < most) return undefined;
  const detail = `${most} operations wait for the device, the most allowed`;
  return { reason: "queue-full", detail, retryAfterSeconds: fullQueueRetrySeconds };
}
