/** A Send of a gateway that speaks of the devices behind it too: each value becomes known of the device it is of, or none of any. */
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { decodeGatewayPayload, type GatewayValues } from "@lwm2m/protocol/lwm2m/gateway-payload";
import type { DecodeContext } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Devices } from "../devices/device.ts";
import type { Registrations } from "../registration/registration.ts";
import { findGatewayDevice } from "./gateway-devices.ts";
import type { Twin } from "./twin.ts";

export interface GatewayDeps {
  readonly registrations: Pick<Registrations, "findLast">;
  readonly devices: Pick<Devices, "ensure" | "noteSeen">;
  readonly knownValues: (endpoint: string) => Promise<Twin["values"] | undefined>;
}

/** By name of device; the gateway's own are under its own. */
export type SentValues = ReadonlyMap<string, readonly PathValue[]>;

export type GatewayOutcome = { readonly ok: true; readonly values: SentValues } | { readonly ok: false; readonly detail: string };

/** Undefined where nothing of it has a prefix; looked at only when the payload cannot be read as the device's own. */
export function findGatewayValues({ contentFormat, payload }: IncomingRequest, context: DecodeContext): GatewayValues | undefined {
  if (contentFormat === undefined) return undefined;
  try {
    const groups = decodeGatewayPayload(contentFormat, payload, context);
    return [...groups.keys()].some((prefix) => prefix !== "") ? groups : undefined;
  } catch (error) {
    if (error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}

/** Whose values they are; the devices have an entry when it resolves. */
export async function assignValues(deps: GatewayDeps, gateway: string, groups: GatewayValues): Promise<GatewayOutcome> {
  const known = (await deps.knownValues(gateway)) ?? {};
  const values = new Map<string, readonly PathValue[]>();
  for (const [prefix, group] of groups) {
    const device = prefix === "" ? gateway : findGatewayDevice(gateway, known, prefix);
    if (device === undefined) {
      return { ok: false, detail: `no device behind the gateway is known by the prefix ${prefix}: object 25 has none, or was not read` };
    }
    if (device !== gateway && (await deps.registrations.findLast(device)) !== undefined) {
      return { ok: false, detail: `${device} has registered by itself: no gateway speaks for it` };
    }
    values.set(device, [...(values.get(device) ?? []), ...group]);
  }
  for (const device of values.keys()) {
    if (device === gateway) continue;
    await deps.devices.ensure(device);
    deps.devices.noteSeen(device);
  }
  return { ok: true, values };
}
