/**
 * Pulls a package by CoAP Block2 from its URI: in the clear over a socket of its own, by DTLS from the server the device is connected with
 * over that connection (a second one with the same credential would take its place).
 */
import { formatCode, isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Peer } from "@lwm2m/protocol/coap/message";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { type CoapUri, findCoapUri } from "../coap-uri.ts";
import type { FetchOutcome } from "./firmware-runtime.ts";
import { UpdateResult } from "./package-format.ts";

export interface DownloadEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  openSocket(remote: string | undefined): Promise<DatagramSocket>;
  /** Undefined when the name leads nowhere. */
  resolveHost(host: string): Promise<string | undefined>;
  log(message: string): void;
  /** The registered server, when it is at this address and secured; undefined otherwise. */
  securedServerAt(address: SocketAddress): { readonly endpoint: CoapEndpoint; readonly peer: Peer } | undefined;
}

/** A slow link may need hours; what ends a download is silence (MAX_TRANSMIT_WAIT), not its length. */
const longestDownloadMs = 6 * 3_600_000;

export async function downloadPackage(uri: string, environment: DownloadEnvironment, signal: AbortSignal): Promise<FetchOutcome> {
  const target = findCoapUri(uri);
  const address = target === undefined ? undefined : await environment.resolveHost(target.host);
  if (target === undefined || address === undefined) return { ok: false, result: UpdateResult.invalidUri };
  const { clock, random } = environment;
  const at = { address, port: target.port };
  if (target.secure) {
    const server = environment.securedServerAt(at);
    if (server !== undefined) return fetchFrom(server, target, environment, signal);
    environment.log("no credential for the server of the package");
    return { ok: false, result: UpdateResult.unsupportedProtocol };
  }
  const endpoint = openCoapEndpoint({ socket: await environment.openSocket(address), clock, random });
  try {
    return await fetchFrom({ endpoint, peer: endpoint.peerAt(at) }, target, environment, signal);
  } finally {
    await endpoint.close();
  }
}

async function fetchFrom(
  { endpoint, peer }: { readonly endpoint: CoapEndpoint; readonly peer: Peer },
  target: CoapUri,
  environment: DownloadEnvironment,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  const request = { method: Method.get, path: target.path, query: target.query };
  const outcome = await endpoint.request(peer, request, { timeoutMs: longestDownloadMs, signal });
  if (!outcome.ok) {
    environment.log(`download failed: ${outcome.reason}`);
    return { ok: false, result: UpdateResult.connectionLost };
  }
  const { code, payload } = outcome.response;
  if (isSuccess(code)) return { ok: true, bytes: payload };
  environment.log(`download refused: ${formatCode(code)}`);
  // A client error means the URI is wrong, a server error that trying again may help.
  return { ok: false, result: code >> 5 === 4 ? UpdateResult.invalidUri : UpdateResult.connectionLost };
}
