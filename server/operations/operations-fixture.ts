/** Operations on one device in tests, straight at the service. */
import assert from "node:assert/strict";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { type OneDevice, oneDevice } from "../testing/one-device.ts";
import type { CreateRefusal, Operation, OperationRequest } from "./operation.ts";

export const sleepy = ["lt=86400", "lwm2m=1.1", "b=U", "Q"];
export const changed = { code: ResponseCode.changed };
/** Longer than the awake window of 93 s. */
export const untilAsleepMs = 94_000;

export interface OperationsOfOne {
  readonly one: OneDevice;
  stored(id: string): Promise<Operation>;
  queued(request: OperationRequest, endpoint?: string): Promise<Operation>;
  refusal(request: OperationRequest, endpoint?: string): Promise<CreateRefusal | undefined>;
}

/** To be called where the tests are declared. */
export function operationsOfOne(): OperationsOfOne {
  const one = oneDevice();
  return {
    one,
    async stored(id) {
      const operation = await one.world.until(one.world.server.operations.find(id));
      assert.ok(operation);
      return operation;
    },
    async queued(request, endpoint = "dev-1") {
      const outcome = await one.world.create(endpoint, request);
      assert.ok(outcome.ok, JSON.stringify(outcome));
      return outcome.operation;
    },
    async refusal(request, endpoint = "dev-1") {
      const outcome = await one.world.create(endpoint, request);
      assert.equal(outcome.ok, false, JSON.stringify(outcome));
      return outcome.ok ? undefined : outcome.refusal;
    },
  };
}

export function text(request: IncomingRequest | undefined): string {
  return new TextDecoder().decode(request?.payload);
}
