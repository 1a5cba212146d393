/** Fills the tree with the objects of the emulated device. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { ClientSettings, Lwm2mClientOptions } from "./client-options.ts";
import { addConnectivityObject, connectivityObjectId } from "./objects/connectivity-object.ts";
import { addDeviceObject, type DeviceEffects, deviceObjectId } from "./objects/device-object.ts";
import { addFirmwareObject, type FirmwareDoor, firmwareObjectId } from "./objects/firmware-object.ts";
import { definitionFor } from "./objects/object-versions.ts";
import { addSecurityObject, type SecurityAccount, securityObjectId } from "./objects/security-object.ts";
import { addServerObject, type ServerEffects, serverObjectId } from "./objects/server-object.ts";
import { addTemperatureObject, temperatureObjectId } from "./objects/temperature-object.ts";
import type { ObjectTree } from "./tree/object-tree.ts";

export interface DeviceDoors {
  readonly clock: Clock;
  readonly localAddress: string;
  readonly firmware: FirmwareDoor;
  readonly serverEffects: ServerEffects;
  readonly deviceEffects: DeviceEffects;
}

const shortServerId = 1;
/** The first instance is where a bootstrap server expects to write the server account (OMA test specification, configuration C.13). */
const serverAccountInstance = 0;
const bootstrapAccountInstance = 1;

export function addObjects(tree: ObjectTree, options: Lwm2mClientOptions, doors: DeviceDoors): void {
  const { registry, settings } = options;
  const definition = (objectId: number) => definitionFor(registry, settings.lwm2mVersion, objectId);
  addAccounts(tree, options, doors.serverEffects);
  const facts = {
    serialNumber: options.endpointName,
    firmwareVersion: options.stored?.firmwareVersion ?? settings.firmwareVersion,
    binding: bindingText(settings),
  };
  addDeviceObject(tree, definition(deviceObjectId), facts, doors.clock, doors.deviceEffects);
  addConnectivityObject(tree, definition(connectivityObjectId), doors.localAddress);
  addFirmwareObject(tree, definition(firmwareObjectId), doors.firmware);
  addTemperatureObject(tree, definition(temperatureObjectId), settings.sensors);
}

/** Objects 0 and 1 as the factory made them. */
export function addAccounts(tree: ObjectTree, options: Lwm2mClientOptions, effects: ServerEffects): void {
  const { registry, settings, serverUri, bootstrapUri } = options;
  const accounts: SecurityAccount[] = [];
  if (serverUri !== undefined) {
    accounts.push({ instanceId: serverAccountInstance, uri: serverUri, bootstrapServer: false, shortServerId });
  }
  if (bootstrapUri !== undefined) {
    accounts.push({ instanceId: bootstrapAccountInstance, uri: bootstrapUri, bootstrapServer: true, shortServerId: undefined });
  }
  addSecurityObject(tree, definitionFor(registry, settings.lwm2mVersion, securityObjectId), accounts);
  const { lifetimeSeconds, binding } = settings;
  const account = serverUri === undefined ? undefined : { shortServerId, lifetimeSeconds, binding };
  addServerObject(tree, definitionFor(registry, settings.lwm2mVersion, serverObjectId), account, effects);
}

function bindingText(settings: ClientSettings): string {
  return settings.queueMode && settings.lwm2mVersion === "1.0" ? `${settings.binding}Q` : settings.binding;
}
