/** Object 3, Device. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { type ExecuteOutcome, type ObjectTree, several } from "../tree/object-tree.ts";
import { done, refuse } from "../tree/outcome.ts";
import { integer, integerValue, text, timeValue } from "./values.ts";

export const deviceObjectId = 3;

export const DeviceResource = {
  firmwareVersion: 3,
  reboot: 4,
  factoryReset: 5,
  errorCode: 11,
  resetErrorCode: 12,
  currentTime: 13,
} as const;

export interface DeviceEffects {
  reboot(): void;
  factoryReset(): void;
}

export interface DeviceFacts {
  readonly serialNumber: string;
  readonly firmwareVersion: string;
  readonly binding: string;
}

export function addDeviceObject(
  tree: ObjectTree,
  definition: ObjectDefinition,
  facts: DeviceFacts,
  clock: Clock,
  effects: DeviceEffects,
): void {
  let clockOffsetMs = 0;
  tree.add(
    definition,
    {
      supported: new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]),
      live: (_instanceId, resourceId) => (resourceId === DeviceResource.currentTime ? timeValue(clock.now() + clockOffsetMs) : undefined),
      takeWrite: (_instanceId, resourceId, content) => {
        if (resourceId !== DeviceResource.currentTime) return undefined;
        if (content.multiple || content.value.type !== "time") return refuse(ResponseCode.badRequest, "the current time is a time");
        clockOffsetMs = Number(content.value.value) * 1_000 - clock.now();
        return done;
      },
      execute: (_instanceId, resourceId) => execute(tree, resourceId, effects),
    },
    new Map([[0, contents(facts)]]),
  );
}

function contents(facts: DeviceFacts) {
  return new Map([
    [0, text("LwM2M emulator")],
    [1, text("Virtual device")],
    [2, text(facts.serialNumber)],
    [DeviceResource.firmwareVersion, text(facts.firmwareVersion)],
    // Power sources 0 (direct current) and 1 (internal battery), voltage in mV, current in mA.
    [6, several([integerValue(0), integerValue(1)])],
    [7, several([integerValue(3_800), integerValue(5_000)])],
    [8, several([integerValue(125), integerValue(900)])],
    [9, integer(95)],
    [10, integer(15_000)],
    // No error is one instance with value 0 (object 3, resource 11).
    [DeviceResource.errorCode, several([integerValue(0)])],
    [14, text("+00:00")],
    [15, text("Etc/UTC")],
    [16, text(facts.binding)],
    [17, text("emulator")],
    [18, text("1")],
    [19, text("1")],
    [20, integer(0)],
    [21, integer(20_000)],
  ]);
}

function execute(tree: ObjectTree, resourceId: number, effects: DeviceEffects): ExecuteOutcome {
  switch (resourceId) {
    case DeviceResource.reboot:
      return { ok: true, afterSent: () => effects.reboot() };
    case DeviceResource.factoryReset:
      return { ok: true, afterSent: () => effects.factoryReset() };
    case DeviceResource.resetErrorCode:
      tree.set(deviceObjectId, 0, new Map([[DeviceResource.errorCode, several([integerValue(0)])]]));
      return { ok: true };
    default:
      throw new Error(`resource ${resourceId} of object 3 is not executable`);
  }
}
