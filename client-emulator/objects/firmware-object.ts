/** Object 5, Firmware Update: the door of firmware-machine.ts in the object tree. */
import type { ObjectDefinition } from "@lwm2m/object-registry/definition";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import type { FirmwareStatus } from "../firmware/firmware-machine.ts";
import { type ExecuteOutcome, type ObjectTree, type ResourceContent, several } from "../tree/object-tree.ts";
import { type Done, done, type Refusal, refuse } from "../tree/outcome.ts";
import { integer, integerValue, textValue } from "./values.ts";

export const firmwareObjectId = 5;

export const FirmwareResource = {
  package: 0,
  packageUri: 1,
  update: 2,
  state: 3,
  result: 5,
  packageName: 6,
  packageVersion: 7,
  protocols: 8,
  delivery: 9,
  cancel: 10,
} as const;

/** /5/0/8: CoAP over UDP with block-wise transfer. */
const protocolCoap = 0;
/** /5/0/9: pull and push. */
const deliveryBoth = 2;

/** What object 5 asks of the device; each answers with the response code for the request. */
export interface FirmwareDoor {
  readonly status: () => FirmwareStatus;
  writePackage(bytes: Uint8Array): ResponseCode;
  writeUri(uri: string): ResponseCode;
  executeUpdate(): ResponseCode;
  executeCancel(): ResponseCode;
}

export function addFirmwareObject(tree: ObjectTree, definition: ObjectDefinition, door: FirmwareDoor): void {
  const supported = Object.values(FirmwareResource).filter((id) => definition.resources.has(id));
  tree.add(
    definition,
    {
      supported: new Set(supported),
      live: (_instanceId, resourceId) => liveValue(door.status(), resourceId),
      takeWrite: (_instanceId, resourceId, content) => takeWrite(door, resourceId, content),
      execute: (_instanceId, resourceId) => execute(door, resourceId),
    },
    new Map([
      [
        0,
        new Map([
          [FirmwareResource.protocols, several([integerValue(protocolCoap)])],
          [FirmwareResource.delivery, integer(deliveryBoth)],
        ]),
      ],
    ]),
  );
}

function liveValue(status: FirmwareStatus, resourceId: number): ResourceValue | undefined {
  switch (resourceId) {
    case FirmwareResource.packageUri:
      return textValue(status.uri);
    case FirmwareResource.state:
      return integerValue(status.state);
    case FirmwareResource.result:
      return integerValue(status.result);
    case FirmwareResource.packageName:
      return textValue(status.image?.name ?? "");
    case FirmwareResource.packageVersion:
      return textValue(status.image?.version ?? "");
    default:
      return undefined;
  }
}

function takeWrite(door: FirmwareDoor, resourceId: number, content: ResourceContent): Done | Refusal | undefined {
  if (content.multiple) return undefined;
  const { value } = content;
  if (resourceId === FirmwareResource.package && value.type === "opaque") return answer(door.writePackage(value.value));
  if (resourceId === FirmwareResource.packageUri && value.type === "string") return answer(door.writeUri(value.value));
  return undefined;
}

function execute(door: FirmwareDoor, resourceId: number): ExecuteOutcome {
  return answer(resourceId === FirmwareResource.update ? door.executeUpdate() : door.executeCancel());
}

function answer(code: ResponseCode): Done | Refusal {
  return code === ResponseCode.changed ? done : refuse(code, "not possible in this firmware state");
}
