/** A CoAP door: the UDP socket and its endpoint, which hears nothing before the features behind it are there. */
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { bufferWarning, coapLimits, echoChallenge, usualLink } from "./coap-settings.ts";
import type { Settings } from "./config.ts";
import { parametersOf } from "./devices/link-profile.ts";
import type { Log } from "./log.ts";
import { StartError } from "./start-error.ts";

export interface CoapDoorSettings {
  readonly door: "coap" | "bootstrap-coap";
  readonly port: number;
  /** The setting to change when the port is taken. */
  readonly portSetting: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface CoapDoor {
  readonly endpoint: CoapEndpoint;
  /** Lets in what has come since the port was bound, and all that comes. */
  open(): void;
}

/** Rejects with `StartError`. The endpoint is closed by the caller. */
export async function bindCoapDoor({ door, port, portSetting, settings, clock, random, log }: CoapDoorSettings): Promise<CoapDoor> {
  const { coapHost: address, coapReceiveBufferBytes: receiveBufferBytes, coapEcho } = settings;
  const socket = await openUdpSocket({ address, port, receiveBufferBytes }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${reason}; stop the other program or set ${portSetting} (COAP_HOST for the address)`);
  });
  const warning = bufferWarning(receiveBufferBytes, socket.receiveBufferBytes);
  if (warning !== undefined) log.warn(warning, { door });
  const held = heldSocket(socket);
  const challenge = echoChallenge(coapEcho);
  const endpoint = openCoapEndpoint({
    socket: held.socket,
    clock,
    random,
    parameters: parametersOf(usualLink(settings)),
    limits: coapLimits(settings),
    ...(challenge === undefined ? {} : { challenge }),
    onBug: (error) => log.error("a CoAP handler failed", { door, error }),
  });
  return {
    endpoint,
    open() {
      held.release();
      log.info("listening", { door, address: endpoint.local.address, port: endpoint.local.port });
    },
  };
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
