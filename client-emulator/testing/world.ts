/** A test world: one emulated client, one scripted server and one scripted bootstrap server on a memory network and a virtual clock. */
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type {
  IncomingRequest,
  IncomingResponse,
  OutgoingRequest,
  OutgoingResponse,
  Peer,
  RequestOutcome,
} from "@lwm2m/protocol/coap/message";
import type { HeldObservation } from "@lwm2m/protocol/coap/observation";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { type LinkConditions, MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type ClientSettings, type Lwm2mClientOptions, usualSettings } from "../client-options.ts";
import { type Lwm2mClient, openLwm2mClient } from "../lwm2m-client.ts";

const registry = openCatalogue();
export const serverAddress: SocketAddress = { address: "192.0.2.1", port: 5_683 };
export const deviceAddress = "198.51.100.7";

export interface World {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly server: ScriptedServer;
  readonly log: string[];
  open(settings?: Partial<ClientSettings>, options?: Partial<Lwm2mClientOptions>): Promise<Lwm2mClient>;
  /** Closes everything and fails when something stayed open. */
  close(): Promise<void>;
}

export interface ScriptedServer {
  readonly endpoint: CoapEndpoint;
  /** What the client asked, e.g. `0s POST /rd?ep=dev`, with the second it came. */
  readonly seen: string[];
  /** The payload of the last request with one, as text. */
  lastBody: string;
  /** Answers in place of the usual ones; undefined: as usual. */
  answer: (request: IncomingRequest) => OutgoingResponse | undefined;
  readonly client: Peer;
  send(request: OutgoingRequest): Promise<RequestOutcome>;
  /** Code and text of the answer to a request, `"2.05 hello"`. */
  ask(method: Method, path: string, more?: Partial<OutgoingRequest>): Promise<string>;
  /** Notifications as `[second, text]`, the answer to the Observe first. */
  observe(path: string, more?: Partial<OutgoingRequest>): Promise<{ readonly values: [number, string][]; readonly held: HeldObservation }>;
}

export function openWorld(seed = 1, conditions: Partial<LinkConditions> = {}): World {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const network = new MemoryNetwork(clock, random, conditions);
  const server = openServer(clock, network.socket(serverAddress), random);
  return makeWorld({ clock, random, network, server });
}

export interface WorldParts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly server: ScriptedServer;
}

export function makeWorld({ clock, random, network, server }: WorldParts): World {
  const log: string[] = [];
  const clients: Lwm2mClient[] = [];
  const bugs: unknown[] = [];
  return {
    clock,
    network,
    server,
    log,
    async open(settings = {}, options = {}): Promise<Lwm2mClient> {
      const client = await openLwm2mClient({
        endpointName: "dev",
        serverUri: `coap://${serverAddress.address}:${serverAddress.port}`,
        registry,
        clock,
        random,
        openSocket: async () => network.socket({ address: deviceAddress, port: 0 }),
        resolveHost: async (host) => (host === "nowhere.example" ? undefined : host),
        log: (message, level) => level === "event" && log.push(message),
        onBug: (error) => bugs.push(error),
        ...options,
        settings: { ...usualSettings, sensorIntervalSeconds: 0, preferredFormat: 0, ...settings },
      });
      clients.push(client);
      await clock.advance(1_000);
      return client;
    },
    async close(): Promise<void> {
      for (const client of clients) await client.close("vanish");
      await server.endpoint.close();
      network.close();
      if (bugs.length > 0) throw bugs[0];
      if (clock.pendingTimers() > 0) throw new Error(`${clock.pendingTimers()} timers were left over`);
    },
  };
}

export function openServer(clock: VirtualClock, socket: DatagramSocket, random: Random): ScriptedServer {
  const endpoint = openCoapEndpoint({ socket, clock, random });
  const startedAt = clock.now();
  const second = (): number => Math.floor((clock.now() - startedAt) / 1_000);
  let client: Peer | undefined;
  const server: ScriptedServer = {
    endpoint,
    seen: [],
    lastBody: "",
    answer: () => undefined,
    get client(): Peer {
      if (client === undefined) throw new Error("no client has been heard of");
      return client;
    },
    send: (request) => clock.until(endpoint.request(server.client, request)),
    async ask(method, path, more = {}) {
      const outcome = await server.send({ method, path: segments(path), ...more });
      return outcome.ok ? shown(outcome.response) : outcome.reason;
    },
    async observe(path, more = {}) {
      const values: [number, string][] = [];
      const request = { method: Method.get, path: segments(path), ...more };
      const listener = {
        onNotification: (response: IncomingResponse) => {
          values.push([second(), shown(response)]);
        },
        onEnd: (reason: string, last?: IncomingResponse) => {
          values.push([second(), last === undefined ? reason : `${reason}: ${shown(last)}`]);
        },
      };
      const outcome = await clock.until(endpoint.observe(server.client, request, listener));
      if (!outcome.ok || !outcome.observing) throw new Error(`no observation of ${path}`);
      values.unshift([second(), shown(outcome.response)]);
      return { values, held: outcome.observation };
    },
  };
  endpoint.handle((request) => {
    // A download comes from a socket of its own.
    if (request.path[0] === "rd" || request.path[0] === "bs") client = request.peer;
    const method = Object.entries(Method)
      .find(([, code]) => code === request.method)?.[0]
      ?.toUpperCase();
    server.seen.push(`${second()}s ${method} /${request.path.join("/")}${request.query.length > 0 ? `?${request.query.join("&")}` : ""}`);
    if (request.payload.length > 0) server.lastBody = new TextDecoder().decode(request.payload);
    return server.answer(request) ?? usualAnswer(request);
  });
  return server;
}

function usualAnswer(request: IncomingRequest): OutgoingResponse {
  if (request.path[0] === "bs") return { code: ResponseCode.changed };
  if (request.method === Method.delete) return { code: ResponseCode.deleted };
  if (request.path.length === 1) return { code: ResponseCode.created, locationPath: ["rd", "a1"] };
  return { code: ResponseCode.changed };
}

function shown(response: IncomingResponse): string {
  return `${formatCode(response.code)} ${new TextDecoder().decode(response.payload)}`.trim();
}

function segments(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "");
}
