/**
 * A whole LwM2M client: object tree, registration or bootstrap, device management, observations, queue mode, firmware update.
 * Time, chance and sockets come from outside, so that a day of it runs in a test within milliseconds.
 */
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Lwm2mClientOptions } from "./client-options.ts";
import { findCoapUri } from "./coap-uri.ts";
import { Device } from "./device.ts";
import { ClientTransport } from "./security/client-transport.ts";
import { usualDtls } from "./security/dtls-client-settings.ts";
import type { ObjectTree } from "./tree/object-tree.ts";

/** Counted since the client was opened. */
export interface ClientStatistics {
  readonly registrations: number;
  readonly updates: number;
  readonly requestsServed: number;
  readonly notificationsSent: number;
}

export interface Lwm2mClient {
  readonly tree: ObjectTree;
  readonly endpoint: CoapEndpoint;
  isRegistered(): boolean;
  isAwake(): boolean;
  /** Relations the server holds with this client. */
  observationCount(): number;
  statistics(): ClientStatistics;
  /** De-registers (unless told to vanish) and closes the socket. */
  close(how?: "de-register" | "vanish"): Promise<void>;
}

/** A package over the flash limit must reach the device to be refused by it; so the endpoint takes more than the flash holds. */
const bodyRoomFactor = 2;

/** Throws when the URIs cannot be used at all. Starts to register or bootstrap before it returns. */
export async function openLwm2mClient(options: Lwm2mClientOptions): Promise<Lwm2mClient> {
  const { clock, random } = options;
  let device: Device | undefined;
  const { openSocket, dtls = usualDtls, recordKeyForm, onBug } = options;
  const log = (message: string): void => options.log?.(message, "event");
  const parts = { clock, random, openSocket, dtls, recordKeyForm, onSent: () => device?.sent(), log, onBug };
  const transport = await ClientTransport.open(parts, await firstAddress(options));
  const bodyBytes = options.settings.firmware.flashBytes * bodyRoomFactor;
  const endpoint = openCoapEndpoint({ socket: transport, clock, random, limits: { requestBodyBytes: bodyBytes }, ...bugHandler(options) });
  const opened = new Device(options, endpoint, transport);
  device = opened;
  endpoint.handle((request) => opened.serve(request));
  try {
    await opened.start();
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  return {
    tree: opened.tree,
    endpoint,
    isRegistered: () => opened.registered,
    isAwake: () => opened.awake,
    observationCount: () => opened.observations.size,
    statistics: () => ({ ...opened.statistics, notificationsSent: opened.observations.sent }),
    async close(how = "de-register"): Promise<void> {
      if (how === "de-register") await opened.deregister();
      else transport.setOpen(false);
      opened.close();
      await endpoint.close();
    },
  };
}

async function firstAddress({ serverUri, bootstrapUri, resolveHost }: Lwm2mClientOptions): Promise<string | undefined> {
  const target = findCoapUri(serverUri ?? bootstrapUri ?? "");
  return target === undefined ? undefined : resolveHost(target.host);
}

function bugHandler({ onBug }: Lwm2mClientOptions): { readonly onBug?: (error: unknown) => void } {
  return onBug === undefined ? {} : { onBug };
}
