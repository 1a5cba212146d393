/** What the settings mean for a CoAP door: limits, link, who has to prove its address, and whether the system gave the buffer asked for. */
import type { Challenge } from "@lwm2m/protocol/coap/address-proof";
import { Method } from "@lwm2m/protocol/coap/codes";
import type { CoapLimits } from "@lwm2m/protocol/coap/limits";
import type { LinkProfile } from "../devices/link-profile.ts";
import type { Settings } from "./config.ts";

export function coapLimits(settings: Settings): Partial<CoapLimits> {
  return {
    peers: settings.coapPeers,
    messagesPerSecondPerPeer: settings.coapPeerRate,
    messageBurstPerPeer: settings.coapPeerBurst,
    messagesPerSecond: settings.coapRate,
    messageBurst: settings.coapBurst,
    requestBodyBytes: settings.coapBodyBytes,
    bodyBytes: Math.max(settings.coapBodiesBytes, settings.coapBodyBytes),
  };
}

/** The link of every device that has none of its own. */
export function usualLink({ coapLinkProfile, awakeSeconds }: Pick<Settings, "coapLinkProfile" | "awakeSeconds">): LinkProfile {
  return awakeSeconds === undefined ? { profile: coapLinkProfile } : { profile: coapLinkProfile, awakeSeconds };
}

/** Where a device introduces itself: Register and Bootstrap-Request (LwM2M Transport 1.1 §6.4). An Update names a secret of its device. */
const introductions: ReadonlySet<string> = new Set(["rd", "bs"]);

/** Methods that change nothing, so that a copy of an old request does no harm. */
const harmless: ReadonlySet<number> = new Set([Method.get, Method.fetch]);

/**
 * Which requests have to repeat an Echo value first (RFC 9175 §2.3). A secured peer has proved its address in the handshake (RFC 6347
 * §4.2.1); but after a restart that could not save the replay window, what it sends may be a copy of what it sent before.
 */
export function coapChallenge(mode: Settings["coapEcho"]): Challenge {
  return ({ peer, method, path }) => {
    const { association } = peer.address;
    if (association !== undefined) return !association.fresh && !harmless.has(method);
    switch (mode) {
      case "off":
        return false;
      case "registration":
        return method === Method.post && path.length === 1 && introductions.has(path[0] ?? "");
      case "all":
        return true;
    }
  };
}

/** One sentence for the operator; undefined when the system gave what was asked for. It counts its own bookkeeping in. */
export function bufferWarning(wantedBytes: number, grantedBytes: number): string | undefined {
  if (grantedBytes >= wantedBytes) return undefined;
  return `the system gave a receive buffer of ${grantedBytes} bytes in place of ${wantedBytes}: messages of a burst will be lost; raise it with sysctl -w net.core.rmem_max=${wantedBytes} (Linux; kern.ipc.maxsockbuf elsewhere) or lower COAP_RECEIVE_BUFFER_BYTES`;
}
