/** A device of the crash run: registers, updates, sends, notifies and answers writes for as long as it is let, across the server's deaths. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingRequest, OutgoingResponse, RequestOutcome, ServedObservation } from "@lwm2m/protocol/coap/message";
import { defaultParameters } from "@lwm2m/protocol/coap/parameters";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { CrashFirmware } from "./crash-firmware.ts";
import type { Ledger } from "./ledger.ts";

const links = '</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</5/0>,</3303/0>,</3303/1>';
/** Observed, and sent: one of each, so that their histories are told apart. */
export const observedPath = "/3303/0/5700";
const sentPath = "/3303/1/5700";
/** The server is back within seconds, and the link is loopback. */
const parameters = { ...defaultParameters, ackTimeoutMs: 200, maxRetransmit: 4 };
/** Seconds since 1970 of the first Send; each has a second of its own. */
const firstSecond = 1_700_000_000;

/** Before it says the next thing to a server that is busy: asking on and on would keep it so. */
const busyPauseMs = 250;
/** Between two signs of life while the run waits for firmware updates to end. */
const calmPauseMs = 500;

export interface CrashDeviceDeps {
  readonly endpoint: string;
  readonly coap: CoapEndpoint;
  readonly serverPort: number;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  /** What it sent before the death of the server it sends again behind it; others begin anew, so that the load is there at once. */
  readonly isPatient: boolean;
  /** Nothing but firmware updates and signs of life any more. */
  readonly isCalm: () => boolean;
}

export class CrashDevice {
  readonly endpoint: string;
  readonly firmware = new CrashFirmware();
  readonly #deps: CrashDeviceDeps;
  #relation: ServedObservation | undefined;
  #value = 0;
  #life = new AbortController();
  /** The life of the server in which a Register was left without the answer that says what became of it. */
  #doubtfulLife: number | undefined;

  constructor(deps: CrashDeviceDeps) {
    this.#deps = deps;
    this.endpoint = deps.endpoint;
    deps.coap.handle((request) => this.#answer(request));
    deps.coap.setParameters(this.#server(), parameters);
  }

  get isObserved(): boolean {
    return this.#relation !== undefined;
  }

  /** One thing after the other until told to stop; the last one may stay unanswered. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#step();
  }

  /** The server was dead and is back. */
  noteRestart(): void {
    if (this.#deps.isPatient) return;
    this.#life.abort();
    this.#life = new AbortController();
  }

  close(): Promise<void> {
    return this.#deps.coap.close();
  }

  async #step(): Promise<void> {
    const { ledger, random } = this.#deps;
    if (!ledger.locations.has(this.endpoint)) return this.#register();
    if (await this.firmware.step((request) => this.#request(request))) return this.#register();
    if (this.#deps.isCalm()) {
      await this.#pause(calmPauseMs);
      return this.#update();
    }
    const chance = random.fraction();
    if (chance < 0.1) return this.#register();
    if (chance < 0.4) return this.#update();
    if (chance < 0.7 || this.#relation === undefined) return this.#send();
    return this.#notify(this.#relation);
  }

  async #register(): Promise<void> {
    const { ledger } = this.#deps;
    ledger.registering.add(this.endpoint);
    const outcome = await this.#request({
      method: Method.post,
      path: ["rd"],
      query: [`ep=${this.endpoint}`, "lt=86400", "lwm2m=1.1", "b=U"],
      contentFormat: ContentFormat.linkFormat,
      payload: bytes(links),
    });
    if (!outcome.ok || outcome.response.code !== ResponseCode.created) {
      this.#doubtfulLife = ledger.life;
      return;
    }
    ledger.registrations++;
    ledger.locations.set(this.endpoint, outcome.response.locationPath.join("/"));
    // The one before it may still come to its end, behind this one: until the server that has it is dead.
    if (this.#doubtfulLife !== ledger.life) ledger.registering.delete(this.endpoint);
  }

  async #update(): Promise<void> {
    const { ledger } = this.#deps;
    const location = ledger.locations.get(this.endpoint) ?? "";
    const isSure = !ledger.registering.has(this.endpoint);
    const outcome = await this.#request({ method: Method.post, path: location.split("/") });
    if (!outcome.ok) return;
    if (outcome.response.code === ResponseCode.changed) ledger.updates++;
    else if (outcome.response.code === ResponseCode.notFound) {
      if (isSure) ledger.violations.push(`${this.endpoint}: the server does not know its registration ${location}`);
      ledger.locations.delete(this.endpoint);
    }
  }

  async #send(): Promise<void> {
    const value = ++this.#value;
    const second = firstSecond + value;
    const outcome = await this.#request({
      method: Method.post,
      path: ["dp"],
      contentFormat: ContentFormat.senmlJson,
      payload: bytes(JSON.stringify([{ n: sentPath, t: second, v: value }])),
    });
    if (!outcome.ok || outcome.response.code !== ResponseCode.changed) return;
    this.#deps.ledger.points.push({ endpoint: this.endpoint, path: sentPath, timeMs: second * 1_000, value });
  }

  async #notify(relation: ServedObservation): Promise<void> {
    const value = ++this.#value;
    const outcome = await relation.notify(measured(value), true);
    if (outcome.ok) this.#deps.ledger.points.push({ endpoint: this.endpoint, path: observedPath, value });
    else this.#relation = undefined;
  }

  #answer(request: IncomingRequest): OutgoingResponse {
    const ofFirmware = this.firmware.answer(request);
    if (ofFirmware !== undefined) return ofFirmware;
    if (request.method === Method.put) return { code: ResponseCode.changed };
    if (`/${request.path.join("/")}` !== observedPath) return { code: ResponseCode.notFound };
    const acceptObserve = (relation: ServedObservation): void => {
      this.#relation = relation;
      relation.onEnd(() => {
        if (this.#relation === relation) this.#relation = undefined;
      });
    };
    return { ...measured(this.#value), acceptObserve };
  }

  #server() {
    return this.#deps.coap.peerAt({ address: "127.0.0.1", port: this.#deps.serverPort });
  }

  async #request(request: OutgoingRequest): Promise<RequestOutcome> {
    const outcome = await this.#deps.coap.request(this.#server(), request, { signal: this.#life.signal });
    if (outcome.ok && outcome.response.code === ResponseCode.serviceUnavailable) await this.#pause(busyPauseMs);
    return outcome;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#deps.clock.after(delayMs, resolve));
  }
}

function measured(value: number): OutgoingResponse {
  return {
    code: ResponseCode.content,
    contentFormat: ContentFormat.senmlJson,
    payload: bytes(JSON.stringify([{ n: observedPath, v: value }])),
  };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
