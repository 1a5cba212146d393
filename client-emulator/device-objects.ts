/** Fills the tree with the objects of the emulated device. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { restoreAccounts } from "./bootstrap/stored-accounts.ts";
import type { ClientSettings, Lwm2mClientOptions } from "./client-options.ts";
import { addConnectivityObject, connectivityObjectId } from "./objects/connectivity-object.ts";
import { addDeviceObject, type DeviceEffects, deviceObjectId } from "./objects/device-object.ts";
import { addFirmwareObject, type FirmwareDoor, firmwareObjectId } from "./objects/firmware-object.ts";
import { definitionFor } from "./objects/object-versions.ts";
import { accountInstance, accountsIn, addSecurityObject, type SecurityAccount, securityObjectId } from "./objects/security-object.ts";
import { addServerObject, type ServerEffects, serverObjectId } from "./objects/server-object.ts";
import { addTemperatureObject, temperatureObjectId } from "./objects/temperature-object.ts";
import { noSecurity } from "./security/security-credential.ts";
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
  const { registry, settings, serverUri } = options;
  addSecurityObject(tree, definitionFor(registry, settings.lwm2mVersion, securityObjectId), factoryAccounts(options));
  const { lifetimeSeconds, binding, sendIntervalSeconds } = settings;
  const account = serverUri === undefined ? undefined : { shortServerId, lifetimeSeconds, binding, sends: sendIntervalSeconds > 0 };
  addServerObject(tree, definitionFor(registry, settings.lwm2mVersion, serverObjectId), account, effects);
}

/**
 * Objects 0 and 1 as a bootstrap server left them in an earlier run. A server that was named for this run is not to be overruled by that;
 * nor is the account of the bootstrap server, which only this run knows. False when what was stored is of no use to this device.
 */
export function restoreBootstrapped(tree: ObjectTree, options: Lwm2mClientOptions): boolean {
  const { serverUri, stored } = options;
  if (serverUri !== undefined || stored?.accounts === undefined) return true;
  if (!restoreAccounts(tree, stored.accounts)) return false;
  const [own] = factoryAccounts(options);
  const kept = accountsIn(tree).find((account) => account.bootstrapServer);
  const security = tree.find(securityObjectId);
  if (own !== undefined && kept !== undefined && security !== undefined) {
    security.instances.set(kept.instanceId, accountInstance(own, security.behaviour.supported));
  }
  return true;
}

function factoryAccounts({
  serverUri,
  bootstrapUri,
  serverCredential,
  bootstrapCredential,
}: Lwm2mClientOptions): readonly SecurityAccount[] {
  const accounts: SecurityAccount[] = [];
  if (serverUri !== undefined) {
    const credential = serverCredential ?? noSecurity;
    accounts.push({ instanceId: serverAccountInstance, uri: serverUri, bootstrapServer: false, shortServerId, credential });
  }
  if (bootstrapUri !== undefined) {
    const credential = bootstrapCredential ?? noSecurity;
    accounts.push({
      instanceId: bootstrapAccountInstance,
      uri: bootstrapUri,
      bootstrapServer: true,
      shortServerId: undefined,
      credential,
    });
  }
  return accounts;
}

function bindingText(settings: ClientSettings): string {
  return settings.queueMode && settings.lwm2mVersion === "1.0" ? `${settings.binding}Q` : settings.binding;
}
