/** What a device of a light fleet sends of its own accord; each exchange is counted from its first datagram to its end. */
import { isSuccess, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { encodePayload } from "@lwm2m/protocol/lwm2m/payload";
import { contentFormats, representation } from "./device-answers.ts";
import { registrationLinks, temperaturePath, typeOf, valuesAt } from "./device-values.ts";
import type { FleetDevice, FleetRelation } from "./fleet-device.ts";
import { Tally } from "./tally.ts";

export interface Tallies {
  readonly register: Tally;
  readonly update: Tally;
  readonly notification: Tally;
  readonly send: Tally;
}

export function openTallies(): Tallies {
  return { register: new Tally(), update: new Tally(), notification: new Tally(), send: new Tally() };
}

export interface ExchangeOptions {
  readonly endpoint: CoapEndpoint;
  readonly tallies: Tallies;
  readonly lifetimeSeconds: number;
  readonly queueMode: boolean;
  /** Milliseconds since the epoch, for the time of values. */
  readonly nowMs: () => number;
  /** Milliseconds with a fraction, from anywhere: what latencies are told by. */
  readonly preciseMs: () => number;
  readonly onRegistered: (device: FleetDevice) => void;
}

/** `later`: the server says when (4.29, 5.03 with Max-Age); it is the caller who comes back. */
export type ExchangeOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "later"; readonly delayMs: number }
  | { readonly kind: "refused"; readonly code: number }
  | { readonly kind: "lost" };

const links = new TextEncoder().encode(registrationLinks(contentFormats));
/** RFC 7252 §5.10.5: what Max-Age means where it is not said. */
const defaultMaxAgeSeconds = 60;

export class DeviceExchanges {
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** LwM2M Core 1.1 §6.2.1. */
  async register(device: FleetDevice): Promise<ExchangeOutcome> {
    const { lifetimeSeconds, queueMode, tallies } = this.#options;
    const query = [`ep=${device.endpointName}`, `lt=${lifetimeSeconds}`, "lwm2m=1.1", "b=U", ...(queueMode ? ["Q"] : [])];
    device.registering = true;
    const { outcome, locationPath } = await this.#ask(device, tallies.register, {
      ...{ method: Method.post, path: ["rd"], query },
      ...{ contentFormat: ContentFormat.linkFormat, payload: links },
    });
    device.registering = false;
    if (outcome.kind !== "done") return outcome;
    device.location = locationPath;
    this.#options.onRegistered(device);
    return outcome;
  }

  /** LwM2M Core 1.1 §6.2.2; a device the server does not know is not registered any more. */
  async update(device: FleetDevice): Promise<ExchangeOutcome> {
    const { location } = device;
    if (location === undefined) throw new Error(`${device.endpointName} updates without a registration`);
    device.updating = true;
    const { outcome } = await this.#ask(device, this.#options.tallies.update, { method: Method.post, path: location });
    device.updating = false;
    if (outcome.kind === "refused" && outcome.code === ResponseCode.notFound) device.location = undefined;
    return outcome;
  }

  /** LwM2M Core 1.1 §6.4.6: the temperature as it is now. */
  async send(device: FleetDevice): Promise<ExchangeOutcome> {
    const { lifetimeSeconds, nowMs, tallies } = this.#options;
    device.changes++;
    const values = valuesAt(device, [temperaturePath], lifetimeSeconds).map((value) => ({ ...value, timeMs: nowMs() }));
    const payload = encodePayload(ContentFormat.senmlCbor, values, { typeOf });
    device.sending = true;
    const request = { method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlCbor, payload };
    const { outcome } = await this.#ask(device, tallies.send, request);
    device.sending = false;
    return outcome;
  }

  /** A confirmable notification of the value as it is now (RFC 7641 §4.2). */
  async notify(relation: FleetRelation): Promise<void> {
    const { lifetimeSeconds, preciseMs, tallies } = this.#options;
    const { device, served, targets, contentFormat } = relation;
    device.changes++;
    relation.notifying = true;
    const open = tallies.notification.begin();
    const startedAt = preciseMs();
    const outcome = await served.notify(representation(device, targets, contentFormat, lifetimeSeconds), true);
    relation.notifying = false;
    if (outcome.ok) open.acknowledged(preciseMs() - startedAt, 1);
    else if (outcome.reason === "closed") open.withdrawn();
    else open.lost();
  }

  async #ask(
    device: FleetDevice,
    tally: Tally,
    request: OutgoingRequest,
  ): Promise<{ readonly outcome: ExchangeOutcome; readonly locationPath: readonly string[] }> {
    const { endpoint, preciseMs } = this.#options;
    const open = tally.begin();
    let sentAt = Number.NaN;
    const onSent = (): void => {
      sentAt = preciseMs();
    };
    const ended = await endpoint.request(device.server, request, { onSent });
    if (!ended.ok) {
      if (ended.facts.datagramsSent === 0) open.withdrawn();
      else open.lost();
      return { outcome: { kind: "lost" }, locationPath: [] };
    }
    const { code, locationPath, maxAgeSeconds = defaultMaxAgeSeconds } = ended.response;
    const { datagramsSent } = ended.facts;
    if (isSuccess(code)) {
      open.acknowledged(preciseMs() - sentAt, datagramsSent);
      return { outcome: { kind: "done" }, locationPath };
    }
    open.refused(code, datagramsSent);
    const postponed = code === ResponseCode.serviceUnavailable || code === ResponseCode.tooManyRequests;
    return { outcome: postponed ? { kind: "later", delayMs: maxAgeSeconds * 1_000 } : { kind: "refused", code }, locationPath: [] };
  }
}
