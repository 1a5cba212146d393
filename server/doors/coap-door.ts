/** A CoAP door: UDP socket and DTLS beside it as one endpoint, which hears nothing before the features behind it are there. */
import { createCoapCounters } from "@lwm2m/protocol/coap/counters";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { parametersOf } from "../devices/link-profile.ts";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import { bufferWarning, coapChallenge, coapLimits, usualLink } from "../settings/coap-settings.ts";
import type { Settings } from "../settings/config.ts";
import { StartError } from "../start-error.ts";
import type { Supervisor } from "../supervisor.ts";
import type { DoorNumbers } from "./door-http.ts";
import { type DtlsDoorSettings, openDtlsDoor } from "./dtls-door.ts";
import { HandshakeReports } from "./handshake-reports.ts";
import { JoinedSocket } from "./joined-socket.ts";
import { type SecuredPeers, securedPeers } from "./secured-peers.ts";

export interface CoapDoorSettings {
  readonly door: "coap" | "bootstrap-coap";
  readonly port: number;
  /** The setting to change when the port is taken. */
  readonly portSetting: string;
  readonly secured: SecuredSideSettings;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly supervisor: Supervisor;
  readonly events: Pick<EventLog, "append">;
}

export type SecuredSideSettings = Pick<DtlsDoorSettings, "door" | "realm" | "credentials" | "journal" | "logKey"> & {
  readonly port: number;
  readonly portSetting: string;
};

export interface CoapDoor {
  /** Both sides: whom it sends to decides which. Closes both. */
  readonly endpoint: CoapEndpoint;
  /** Closes the endpoint, and tells what has not been told. */
  close(): Promise<void>;
  readonly secured: SecuredPeers;
  /** One sentence when the door is open but not all right. */
  findFault(): string | undefined;
  /** Lets in what has come since the ports were bound, and all that comes. */
  open(): void;
  /** Of the secured side. */
  numbers(): DoorNumbers;
  /** CoAP of both sides. */
  messages(): DoorNumbers;
}

/** Rejects with `StartError`. Closed by the caller. */
export async function bindCoapDoor(parts: CoapDoorSettings): Promise<CoapDoor> {
  const { door, settings, clock, random, log, supervisor, secured } = parts;
  const plain = await bind(parts, parts);
  const dtlsSocket = await bind(secured, parts).catch(async (error: unknown) => {
    await plain.socket.close();
    throw error;
  });
  const { dtls, findFault, checkRestored } = await openDtlsDoor({ ...parts, ...secured, socket: dtlsSocket.socket }).catch(
    async (error: unknown) => {
      await Promise.all([plain.socket.close(), dtlsSocket.socket.close()]);
      throw error;
    },
  );
  const reports = new HandshakeReports({ ...parts, door: secured.door, dtls });
  const socket = new JoinedSocket(plain.socket, dtls.plaintext);
  const counters = createCoapCounters();
  const endpoint = openCoapEndpoint({
    counters,
    socket,
    clock,
    random,
    parameters: parametersOf(usualLink(settings)),
    limits: coapLimits(settings),
    challenge: coapChallenge(settings.coapEcho),
    onBug: (error) => log.error("a CoAP handler failed", { door, error }),
  });
  return {
    endpoint,
    async close() {
      reports.close();
      await endpoint.close();
    },
    secured: securedPeers(dtls, socket),
    findFault,
    numbers: () => ({ door: secured.door, port: dtls.plaintext.local.port, counters: dtls.counters }),
    messages: () => ({ door, port: endpoint.local.port, counters }),
    open() {
      plain.release();
      dtlsSocket.release();
      log.info("listening", { door, address: endpoint.local.address, port: endpoint.local.port });
      const { address, port } = dtls.plaintext.local;
      log.info("listening", { door: secured.door, address, port });
      supervisor.run(checkRestored(), "check restored connections");
    },
  };
}

async function bind(
  { door, port, portSetting }: { readonly door: string; readonly port: number; readonly portSetting: string },
  { settings, log }: Pick<CoapDoorSettings, "settings" | "log">,
): Promise<ReturnType<typeof heldSocket>> {
  const { coapHost: address, coapReceiveBufferBytes: receiveBufferBytes } = settings;
  const socket = await openUdpSocket({ address, port, receiveBufferBytes }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${reason}; stop the other program or set ${portSetting} (COAP_HOST for the address)`);
  });
  const warning = bufferWarning(receiveBufferBytes, socket.receiveBufferBytes);
  if (warning !== undefined) log.warn(warning, { door });
  return heldSocket(socket);
}

/** Datagrams kept while the server starts, which takes a second or two; devices send the others again (RFC 7252 §4.2). */
const heldDatagrams = 4_096;

/**
 * A device that speaks while the store is being read must not be told that it is unknown (4.04) or that nobody asked for its
 * notification (RST): what arrives is kept and handed on in order once the features are there.
 */
export function heldSocket(socket: DatagramSocket): { readonly socket: DatagramSocket; release(): void } {
  const held: { readonly bytes: Uint8Array; readonly from: SocketAddress }[] = [];
  let isHeld = true;
  let receive: (bytes: Uint8Array, from: SocketAddress) => void = () => {};
  socket.onDatagram((bytes, from) => {
    if (!isHeld) receive(bytes, from);
    else if (held.length < heldDatagrams) held.push({ bytes: Uint8Array.from(bytes), from });
  });
  return {
    socket: {
      local: socket.local,
      send: (bytes, to) => socket.send(bytes, to),
      onDatagram(receiver) {
        receive = receiver;
        if (!isHeld) socket.onDatagram(receiver);
      },
      close: () => socket.close(),
    },
    release() {
      isHeld = false;
      for (const { bytes, from } of held.splice(0)) receive(bytes, from);
      // No detour on the path of every later datagram.
      socket.onDatagram(receive);
    },
  };
}
