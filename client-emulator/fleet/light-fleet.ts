/**
 * Many light devices in one process: registered, updating, notifying and sending as CoAP peers of their own, at 2.5 kB of heap each. They
 * answer reads, discovery and observations, and keep nothing but their registration: no writes, no firmware, no bootstrap; those are what
 * `../lwm2m-client.ts` is for.
 */

import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type CoapCounters, createCoapCounters } from "@lwm2m/protocol/coap/counters";
import { type MeasuredEndpoint, openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { ServedObservation } from "@lwm2m/protocol/coap/message";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { answer } from "./device-answers.ts";
import { DeviceExchanges, openTallies, type Tallies } from "./device-exchanges.ts";
import { type FleetDevice, type FleetRelation, makeDevice } from "./fleet-device.ts";
import { FleetLoad, type Rates } from "./fleet-load.ts";
import type { FleetReport } from "./fleet-report.ts";
import { addressOf, indexOf, JoinedSockets } from "./joined-sockets.ts";
import { Registrar } from "./registrar.ts";

export interface LightFleetOptions {
  readonly devices: number;
  /** Endpoint names are PREFIX-0, PREFIX-1, … */
  readonly prefix: string;
  readonly server: SocketAddress;
  readonly lifetimeSeconds: number;
  /** Devices listen for so long after whatever they sent or heard; undefined: always. */
  readonly awakeMs: number | undefined;
  readonly registrationsPerSecond: number;
  readonly registrationsAtOnce: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds with a fraction, from anywhere. */
  readonly preciseMs: () => number;
  readonly openSocket: (index: number, server: SocketAddress) => Promise<DatagramSocket>;
  readonly onBug: (error: unknown) => void;
}

/** What an exchange may take after the load before it counts as lost: two retransmissions (RFC 7252 §4.8). */
const graceMs = 15_000;
const graceStepMs = 20;
/** Updates leave when half of the lifetime has passed: milliseconds of each of its seconds. */
const lifetimeShareMs = 500;

/** Opens the sockets; nothing is sent yet. */
export async function openLightFleet(options: LightFleetOptions): Promise<LightFleet> {
  const fleet = new LightFleet(options);
  try {
    await fleet.open();
  } catch (error) {
    await fleet.close();
    throw error;
  }
  return fleet;
}

export class LightFleet {
  readonly #options: LightFleetOptions;
  readonly #devices: FleetDevice[] = [];
  readonly #relations: FleetRelation[] = [];
  readonly #tallies: Tallies = openTallies();
  readonly #sockets: JoinedSockets;
  readonly #endpoint: MeasuredEndpoint;
  readonly #counters: CoapCounters = createCoapCounters();
  readonly #exchanges: DeviceExchanges;
  readonly #registrar: Registrar;
  readonly #load: FleetLoad;
  #readsServed = 0;
  #closed = false;

  constructor(options: LightFleetOptions) {
    this.#options = options;
    const { clock, random, preciseMs, awakeMs, lifetimeSeconds, server, onBug } = options;
    this.#sockets = new JoinedSockets({
      server,
      hears: (index) => awakeMs === undefined || clock.now() < (this.#devices[index]?.awakeUntil ?? 0),
      onTraffic: (index) => {
        const device = this.#devices[index];
        if (awakeMs !== undefined && device !== undefined) device.awakeUntil = clock.now() + awakeMs;
      },
    });
    this.#endpoint = openCoapEndpoint({ socket: this.#sockets, clock, random, onBug, counters: this.#counters });
    this.#exchanges = new DeviceExchanges({
      ...{ endpoint: this.#endpoint, tallies: this.#tallies, lifetimeSeconds, queueMode: awakeMs !== undefined },
      ...{ nowMs: () => clock.now(), preciseMs },
      onRegistered: (device) => this.#endRelations(device),
    });
    const { registrationsPerSecond, registrationsAtOnce } = options;
    this.#registrar = new Registrar({
      ...{ clock, exchanges: this.#exchanges, perSecond: registrationsPerSecond, atOnce: registrationsAtOnce },
    });
    this.#load = new FleetLoad({
      ...{ clock, preciseMs, exchanges: this.#exchanges, devices: this.#devices, relations: this.#relations },
      onUnregistered: (device) => this.#registrar.add(device),
    });
    this.#serve();
  }

  async open(): Promise<void> {
    const { devices, prefix, openSocket, server } = this.#options;
    for (let index = 0; index < devices; index++) {
      this.#sockets.add(index, await openSocket(index, server));
      this.#devices.push(makeDevice(index, `${prefix}-${index}`, this.#endpoint.peerAt(addressOf(index))));
    }
  }

  /** Resolves when each device is registered, or was given up after several attempts. */
  async register(): Promise<void> {
    for (const device of this.#devices) this.#registrar.add(device);
    await this.#registrar.settled();
  }

  /** Exchanges at fixed rates for so long, and their ends. */
  async pace(rates: Rates, ms: number): Promise<void> {
    const { devices, lifetimeSeconds } = this.#options;
    // A load that outlasts the lifetime keeps the registrations alive (LwM2M Core 1.1 §6.2.2).
    const least = ms > lifetimeSeconds * lifetimeShareMs ? (devices / (lifetimeSeconds * lifetimeShareMs)) * 1_000 : 0;
    await this.#load.pace({ ...rates, updatesPerSecond: Math.max(rates.updatesPerSecond, least) }, ms);
    await this.#ends();
  }

  /** One kind of exchange as fast as so many at once allow, for so long. */
  async press(kind: "register" | "update" | "send", atOnce: number, ms: number): Promise<void> {
    await this.#load.press(kind, atOnce, ms);
  }

  report(): FleetReport {
    const { register, update, notification, send } = this.#tallies;
    const { datagramsIn, datagramsOut, retransmissions, duplicates, resetsIn, malformed, unmatchedResponses } = this.#counters;
    return {
      devices: this.#devices.length,
      registered: this.#devices.filter(({ location }) => location !== undefined).length,
      givenUp: this.#registrar.givenUp,
      observed: this.#relations.length,
      requestsServed: this.#readsServed,
      register: register.report(),
      update: update.report(),
      notification: notification.report(),
      send: send.report(),
      load: this.#load.report(),
      datagrams: {
        ...{ in: datagramsIn, out: datagramsOut, retransmissions, duplicates, resets: resetsIn, malformed, unmatched: unmatchedResponses },
        missedAsleep: this.#sockets.missed,
      },
    };
  }

  /** What was counted so far is forgotten, but for the datagrams; what is under way does not count. */
  clear(): void {
    for (const tally of Object.values(this.#tallies)) tally.clear();
    this.#load.clear();
  }

  /** The load ends, its exchanges too; devices stay registered. */
  stop(): void {
    this.#load.stop();
    this.#registrar.close();
  }

  /** Without a word to the server: it sees devices that are gone. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.stop();
    await this.#endpoint.close();
  }

  #serve(): void {
    const { clock, lifetimeSeconds } = this.#options;
    const answering = {
      lifetimeSeconds,
      nowMs: () => clock.now(),
      onRelation: (device: FleetDevice, served: ServedObservation, targets: readonly CompositePath[], contentFormat: number) =>
        this.#accept({ device, served, targets, contentFormat, notifying: false }),
      onUpdateTrigger: (device: FleetDevice) => {
        if (device.location !== undefined && !device.updating) void this.#exchanges.update(device);
      },
    };
    this.#endpoint.handle((request) => {
      const device = this.#devices[indexOf(request.peer.address)];
      if (device === undefined) return { code: ResponseCode.notFound };
      this.#readsServed++;
      return answer(device, request, answering);
    });
  }

  #accept(relation: FleetRelation): void {
    const { device, served } = relation;
    device.relations.push(relation);
    this.#relations.push(relation);
    served.onEnd(() => this.#forget(relation));
  }

  /** Relations belong to a registration (LwM2M Core 1.1 §6.4.3). */
  #endRelations(device: FleetDevice): void {
    for (const relation of [...device.relations]) {
      this.#forget(relation);
      relation.served.close();
    }
  }

  #forget(relation: FleetRelation): void {
    const own = relation.device.relations.indexOf(relation);
    if (own >= 0) relation.device.relations.splice(own, 1);
    const at = this.#relations.indexOf(relation);
    if (at < 0) return;
    // The last one takes its place: their order is of no account.
    const last = this.#relations.pop();
    if (last !== undefined && last !== relation) this.#relations[at] = last;
  }

  async #ends(): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + graceMs;
    const tallies = Object.values(this.#tallies);
    while (!this.#closed && clock.now() < until && tallies.some(({ open }) => open > 0)) {
      await new Promise<void>((resolve) => clock.after(graceStepMs, resolve));
    }
  }
}
