/** Devices behind an LwM2M gateway, as object 25 of the gateway tells of them (LwM2M Gateway 1.1 §6, §7). Pure. */
import type { Twin } from "./twin.ts";

/** Object 25 of either version: the id of the device, the prefix of its paths. */
const gatewayObject = 25;
const resource = { deviceId: 0, prefix: 1 } as const;

/**
 * The name here of the device that has this prefix now, undefined where the gateway has not told of one: its id, which stays when the
 * prefix changes, under the name of its gateway, so that no gateway can speak for a device that is not its own.
 */
export function findGatewayDevice(gateway: string, known: Twin["values"], prefix: string): string | undefined {
  const own = new RegExp(`^/${gatewayObject}/(\\d+)/${resource.prefix}$`);
  for (const [path, { value }] of Object.entries(known)) {
    const [, instance] = own.exec(path) ?? [];
    if (instance === undefined || value !== prefix) continue;
    const id = known[`/${gatewayObject}/${instance}/${resource.deviceId}`]?.value;
    if (typeof id === "string" && id !== "") return `${gateway}/${id}`;
  }
  return undefined;
}
