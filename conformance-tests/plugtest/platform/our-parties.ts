/** Our endpoint on real sockets as the client or the server of a plugtest case. */
import { Method } from "@lwm2m/protocol/coap/codes";
import { type MeasuredEndpoint, openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { CoapOption, IncomingResponse, OutgoingRequest, Peer } from "@lwm2m/protocol/coap/message";
import { OptionNumber } from "@lwm2m/protocol/coap/options";
import { defaultParameters, type TransmissionParameters } from "@lwm2m/protocol/coap/parameters";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { PlugtestSite } from "@lwm2m/protocol/testing/plugtest-site";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { codeText } from "../../conformance/wire-message.ts";
import { patienceMs } from "../../interop/platform/deadline.ts";
import type { PlugtestAnswer, PlugtestClient, PlugtestRequest, PlugtestServer, PlugtestWatch, ResourceNames } from "../party.ts";

export const loopback = "127.0.0.1";
/** A link on which nothing takes long: losses cost a quarter of a second instead of three, a peer that is off seven seconds instead of 93. */
export const quickParameters: TransmissionParameters = { ...defaultParameters, ackTimeoutMs: 200, ackRandomFactor: 1.2, piggybackMs: 200 };
const giveUpMs = patienceMs;

const methods = { get: Method.get, post: Method.post, put: Method.put, delete: Method.delete } as const;
const codes = { "4.04": 0x84, "4.06": 0x86 } as const;

export async function openQuickEndpoint(port = 0, parameters: Partial<TransmissionParameters> = {}): Promise<MeasuredEndpoint> {
  return openCoapEndpoint({
    socket: await openUdpSocket({ address: loopback, port }),
    clock: systemClock,
    random: systemRandom,
    parameters: { ...quickParameters, ...parameters },
  });
}

export async function openOurClient(to: number): Promise<PlugtestClient> {
  const endpoint = await openQuickEndpoint();
  const peer = endpoint.peerAt({ address: loopback, port: to });
  return {
    request: async (request) => {
      if (request.blockSizeBytes !== undefined) {
        endpoint.setParameters(peer, { ...quickParameters, blockSizeBytes: request.blockSizeBytes });
      }
      const outcome = await endpoint.request(peer, outgoing(request), { timeoutMs: giveUpMs });
      if (!outcome.ok) throw new Error(`our client: ${outcome.reason} ${outcome.detail ?? ""}`);
      return answerOf(outcome.response);
    },
    observe: (path, { confirmable = true } = {}) => observe(endpoint, peer, outgoing({ method: "get", path, confirmable })),
    ping: async () => {
      const outcome = await endpoint.ping(peer, { timeoutMs: giveUpMs });
      if (!outcome.ok) throw new Error(`our client: ping ${outcome.reason}`);
    },
    close: () => endpoint.close(),
  };
}

async function observe(endpoint: CoapEndpoint, peer: Peer, request: OutgoingRequest): Promise<PlugtestWatch> {
  const seen: string[] = [];
  const listener = { onNotification: (response: IncomingResponse) => void seen.push(answerOf(response).payload), onEnd: () => undefined };
  const outcome = await endpoint.observe(peer, request, listener, { timeoutMs: giveUpMs });
  if (!outcome.ok || !outcome.observing) throw new Error(`our client does not observe: ${JSON.stringify(outcome)}`);
  seen.unshift(answerOf(outcome.response).payload);
  const { observation } = outcome;
  return {
    seen,
    cancel: async () => {
      if (!(await observation.cancel("active")).ok) throw new Error("the active cancel was not answered");
    },
    forget: async () => void (await observation.cancel("passive")),
  };
}

function outgoing({ path, payload, ...request }: PlugtestRequest): OutgoingRequest {
  const [way = "", query] = path.split("?");
  const options: CoapOption[] = [];
  if (request.ifMatch !== undefined) options.push({ number: OptionNumber.ifMatch, value: request.ifMatch });
  if (request.etag !== undefined) options.push({ number: OptionNumber.etag, value: request.etag });
  if (request.ifNoneMatch) options.push({ number: OptionNumber.ifNoneMatch, value: new Uint8Array(0) });
  return {
    method: methods[request.method],
    path: way.split("/").filter((segment) => segment !== ""),
    query: query === undefined ? [] : query.split("&"),
    confirmable: request.confirmable ?? true,
    options,
    ...(payload === undefined ? {} : { payload: Buffer.from(payload), contentFormat: 0 }),
    ...(request.accept === undefined ? {} : { accept: request.accept }),
  };
}

function answerOf({ code, payload }: IncomingResponse): PlugtestAnswer {
  return { code: codeText(code), payload: Buffer.from(payload).toString() };
}

/** As the descriptions name them. */
export const describedNames: ResourceNames = {
  test: "/test",
  separate: "/separate",
  segments: "/seg1/seg2/seg3",
  query: "/query",
  large: "/large",
  largeUpdate: "/large-update",
  largeCreate: "/large-create",
  largePost: "/large-post",
  obs: "/obs",
  obsNon: "/obs-non",
  obsLarge: "/obs-large",
};

export async function openOurServer(): Promise<PlugtestServer> {
  let endpoint = await openQuickEndpoint(await stablePort("udp"));
  let site = new PlugtestSite(endpoint, systemClock);
  const { port } = endpoint.local;
  const nameOf = (path: string): string => path.slice(1);
  return {
    port,
    resources: describedNames,
    // Not awaited: a client that is off acknowledges nothing.
    change: async (path, body, confirmable) => void site.change(nameOf(path), Buffer.from(body), confirmable),
    endRelations: (path, code) => site.endRelations(nameOf(path), codes[code]),
    observers: async (path) => site.observers.get(nameOf(path))?.size ?? 0,
    reboot: async () => {
      await endpoint.close();
      endpoint = await openQuickEndpoint(port);
      site = new PlugtestSite(endpoint, systemClock);
    },
    close: () => endpoint.close(),
  };
}
