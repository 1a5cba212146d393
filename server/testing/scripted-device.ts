/** A device that does what its test says: registers, answers from a table, notifies. */
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type {
  IncomingRequest,
  IncomingResponse,
  NotifyOutcome,
  OutgoingRequest,
  OutgoingResponse,
  RequestControl,
  RequestOutcome,
  ServedObservation,
} from "@lwm2m/protocol/coap/message";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type ServerWorld, serverAddress } from "./server-world.ts";

const methodNames = new Map(Object.entries(Method).map(([name, code]) => [code as number, name.toUpperCase()]));

export interface DeviceScript {
  readonly endpoint?: string;
  readonly address?: SocketAddress;
  /** Behind `ep=`. */
  readonly query?: readonly string[];
  readonly links?: string;
}

/** What one Register says differently. */
export interface RegisterScript {
  readonly endpoint?: string;
  readonly query?: readonly string[];
  readonly links?: string;
}

/** Over what it speaks, when not from its address to the plain port of the server. */
export interface DeviceLink {
  socket(): DatagramSocket;
  server(): SocketAddress;
}

export type Answer = OutgoingResponse | ((request: IncomingRequest) => OutgoingResponse);

export class ScriptedDevice {
  readonly endpoint: string;
  readonly address: SocketAddress;
  /** `GET /3/0/9`; the rest is 4.04. */
  readonly answers = new Map<string, Answer>();
  /** What the server asked, in order. */
  readonly asked: string[] = [];
  readonly requests: IncomingRequest[] = [];
  /** By path. */
  readonly observations = new Map<string, ServedObservation>();
  location: readonly string[] = [];
  /** Whether it grants observations. */
  grants = true;
  readonly #world: ServerWorld;
  readonly #script: Required<DeviceScript>;
  readonly #link: DeviceLink;
  #coap: CoapEndpoint;

  constructor(world: ServerWorld, script: DeviceScript = {}, link?: DeviceLink) {
    this.#world = world;
    this.#script = {
      endpoint: "dev-1",
      address: { address: "10.0.0.2", port: 56_830 },
      query: ["lt=300", "lwm2m=1.1", "b=U"],
      links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>',
      ...script,
    };
    this.endpoint = this.#script.endpoint;
    this.address = this.#script.address;
    this.#link = link ?? { socket: () => world.network.socket(this.address), server: () => serverAddress };
    this.#coap = this.#open();
  }

  register(more: RegisterScript = {}): Promise<IncomingResponse> {
    return this.#world.until(this.beginRegister(more));
  }

  /** The same without moving the clock: for what a device does by itself while a test lets time pass. */
  async beginRegister(more: RegisterScript = {}): Promise<IncomingResponse> {
    const outcome = await this.request({
      method: Method.post,
      path: ["rd"],
      query: [`ep=${more.endpoint ?? this.endpoint}`, ...(more.query ?? this.#script.query)],
      contentFormat: ContentFormat.linkFormat,
      payload: bytes(more.links ?? this.#script.links),
    });
    if (!outcome.ok) throw new Error(`no response: ${outcome.reason}`);
    this.location = outcome.response.locationPath;
    return outcome.response;
  }

  update(query: readonly string[] = [], links?: string): Promise<IncomingResponse> {
    const payload = links === undefined ? {} : { contentFormat: ContentFormat.linkFormat, payload: bytes(links) };
    return this.send({ method: Method.post, path: this.location, query, ...payload });
  }

  deregister(): Promise<IncomingResponse> {
    return this.send({ method: Method.delete, path: this.location });
  }

  /** Any request to the server; throws when it is not answered. */
  async send(request: OutgoingRequest): Promise<IncomingResponse> {
    const outcome = await this.#world.until(this.request(request));
    if (!outcome.ok) throw new Error(`no response: ${outcome.reason}`);
    return outcome.response;
  }

  /** Does not move the clock. */
  request(request: OutgoingRequest, control?: RequestControl): Promise<RequestOutcome> {
    return this.#coap.request(this.#coap.peerAt(this.#link.server()), request, control);
  }

  notify(path: string, response: OutgoingResponse, confirmable = true): Promise<NotifyOutcome> {
    const relation = this.observations.get(path);
    if (relation === undefined) throw new Error(`${path} is not observed`);
    return relation.notify(response, confirmable);
  }

  /** Loses what it knew, as after a reset; the address stays. */
  async restart(): Promise<void> {
    await this.#coap.close();
    this.observations.clear();
    this.#coap = this.#open();
  }

  close(): Promise<void> {
    return this.#coap.close();
  }

  #open(): CoapEndpoint {
    const coap = openCoapEndpoint({
      socket: this.#link.socket(),
      clock: this.#world.clock,
      random: this.#world.random,
    });
    coap.handle((request) => this.#answer(request));
    return coap;
  }

  #answer(request: IncomingRequest): OutgoingResponse {
    const path = `/${request.path.join("/")}`;
    const query = request.query.length === 0 ? "" : `?${request.query.join("&")}`;
    const line = `${methodNames.get(request.method)} ${path}${query}`;
    this.asked.push(request.observe === undefined ? line : `${line} observe ${request.observe}`);
    this.requests.push(request);
    const answer = this.answers.get(line) ?? { code: ResponseCode.notFound };
    const response = typeof answer === "function" ? answer(request) : answer;
    return this.grants ? { ...response, acceptObserve: (relation) => this.observations.set(path, relation) } : response;
  }
}

export function senmlValue(path: string, value: number | string | boolean): OutgoingResponse {
  const field = typeof value === "number" ? "v" : typeof value === "string" ? "vs" : "vb";
  return content(JSON.stringify([{ n: path, [field]: value }]));
}

export function content(senmlJson: string): OutgoingResponse {
  return { code: ResponseCode.content, contentFormat: ContentFormat.senmlJson, payload: bytes(senmlJson) };
}

export function codeOf(response: IncomingResponse): string {
  return formatCode(response.code);
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
