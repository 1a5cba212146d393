/** Gathers what is known of devices into their outlooks, of many with a few questions to the store. */
import { exchangeLifetimeMs, maxTransmitWaitMs, type TransmissionParameters } from "@lwm2m/protocol/coap/parameters";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type Device, type Devices, neverSeen } from "../devices/device.ts";
import type { FirmwareUpdate } from "../firmware/update.ts";
import { updateCollection } from "../firmware/update-store.ts";
import type { Observation } from "../observations/observation.ts";
import { observationCollection } from "../observations/observation-store.ts";
import type { Operation } from "../operations/operation.ts";
import { operationCollection } from "../operations/operation-store.ts";
import { nextContact } from "../registration/registration-machine.ts";
import type { RegistrationService } from "../registration/registration-service.ts";
import { registrationCollection, type StoredRegistration } from "../registration/registration-store.ts";
import type { Collection, Filter, StoredDocument } from "../storage/collection.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import {
  type DeviceFacts,
  type DeviceOutlook,
  type DeviceWork,
  type Outlooks,
  outlookOf,
  type RegistrationFacts,
} from "./device-outlook.ts";
import type { ExchangeWatch } from "./exchange-watch.ts";
import type { Signal, SignalLog } from "./signal-log.ts";

export interface OutlookDeps {
  readonly store: Store;
  readonly devices: Pick<Devices, "find">;
  readonly registrations: Pick<RegistrationService, "isAwake" | "isConnected" | "endpointAt" | "awakeWindow">;
  readonly links: { awakeWindowMs(endpoint: string): number; parametersAt(endpoint: string): TransmissionParameters };
  readonly signals: SignalLog;
  readonly exchanges: Pick<ExchangeWatch, "inTheAir" | "until">;
  readonly owner: ProcessOwner;
  readonly clock: Pick<Clock, "now">;
}

/** Devices of one question. */
const devicesAtOnce = 100;
/** Documents of one question; of devices with more open operations the oldest are looked at. */
const documentsAtOnce = 1_000;
const operationsPerDevice = 100;

export class OutlookService implements Outlooks {
  readonly #deps: OutlookDeps;

  #isHeldBack: (endpoint: string) => boolean = () => false;

  constructor(deps: OutlookDeps) {
    this.#deps = deps;
  }

  /** Whether what is due does not fit into what is left of the wake-up. */
  attachWakeUps(isHeldBack: (endpoint: string) => boolean): void {
    this.#isHeldBack = isHeldBack;
  }

  async of(endpoint: string): Promise<DeviceOutlook> {
    const nobody: Device = { _id: endpoint, createdAt: this.#deps.clock.now(), lastSeenAt: neverSeen, outbox: [], hasOutbox: false };
    const device = (await this.#deps.devices.find(endpoint)) ?? nobody;
    const [outlook] = (await this.ofAll([device])).values();
    if (outlook === undefined) throw new Error(`${endpoint} has no outlook`);
    return outlook;
  }

  async ofAll(devices: readonly Device[]): Promise<ReadonlyMap<string, DeviceOutlook>> {
    const outlooks = new Map<string, DeviceOutlook>();
    for (let at = 0; at < devices.length; at += devicesAtOnce) {
      const some = devices.slice(at, at + devicesAtOnce);
      const known = await this.#lookUp(some.map(({ _id }) => _id));
      const nowMs = this.#deps.clock.now();
      for (const device of some) outlooks.set(device._id, outlookOf(this.#factsOf(device, known, nowMs), nowMs));
    }
    return outlooks;
  }

  async #lookUp(endpoints: readonly string[]): Promise<Known> {
    const { store } = this.#deps;
    const inThem = { $in: endpoints };
    const [registrations, operations, updates, observations] = await Promise.all([
      find(store.collection<StoredDevice>(registrationCollection), { _id: inThem }),
      this.#openOperations(endpoints),
      find(store.collection<FirmwareUpdate>(updateCollection), { endpoint: inThem, active: true }),
      find(store.collection<Observation>(observationCollection), { endpoint: inThem, state: "waiting" }),
    ]);
    return {
      registrations: new Map(registrations.map((registration) => [registration._id, registration])),
      operations: byDevice(operations),
      updates: new Map(updates.map((update) => [update.endpoint, update])),
      observing: new Set(observations.map(({ endpoint }) => endpoint)),
    };
  }

  /** One question for all; device by device where a few devices have so many that others would not be seen. */
  async #openOperations(endpoints: readonly string[]): Promise<readonly Operation[]> {
    const operations = this.#deps.store.collection<Operation>(operationCollection);
    const found = await find(operations, { endpoint: { $in: endpoints }, open: true });
    if (found.length < documentsAtOnce) return found;
    const each = endpoints.map((endpoint) => operations.find({ endpoint, open: true }, { limit: operationsPerDevice }));
    return (await Promise.all(each)).flat();
  }

  #factsOf(device: Device, known: Known, nowMs: number): DeviceFacts {
    const { registrations, links, exchanges, owner } = this.#deps;
    const endpoint = device._id;
    const registration = known.registrations.get(endpoint);
    const parameters = links.parametersAt(endpoint);
    const air = exchanges.inTheAir(endpoint);
    const ownsAddress = registration !== undefined && registrations.endpointAt(placeOf(registration.address)) === endpoint;
    return {
      createdAt: device.createdAt,
      quarantined: device.state === "quarantined",
      registration: registration === undefined ? undefined : registrationFacts(registration, nowMs),
      signal: this.#deps.signals.find(endpoint) ?? storedSignal(device, registration),
      awake: registrations.isAwake(endpoint),
      ownsAddress,
      elsewhere: !ownsAddress && owner.isShared && registration?.owner !== undefined && registration.owner !== owner.name,
      connected: registrations.isConnected(endpoint),
      windowMs: links.awakeWindowMs(endpoint),
      awakeUntil: registrations.awakeWindow(endpoint)?.until,
      inTheAirSince: air?.since,
      // What has acknowledged a request may take its time (RFC 7252 §5.2.2).
      giveUpMs: air?.acknowledged === true ? exchangeLifetimeMs(parameters) : maxTransmitWaitMs(parameters),
      movedAt: air?.movedAt,
      patienceUntil: exchanges.until(endpoint),
      heldBack: this.#isHeldBack(endpoint),
      work: workOf(known, endpoint, nowMs),
    };
  }
}

/** As it is stored: a secured address with the number of its association. */
type StoredDevice = Omit<StoredRegistration, "address"> & {
  readonly address: Pick<SocketAddress, "address" | "port"> & { readonly association?: number };
};

interface Known {
  readonly registrations: ReadonlyMap<string, StoredDevice>;
  readonly operations: ReadonlyMap<string, readonly Operation[]>;
  readonly updates: ReadonlyMap<string, FirmwareUpdate>;
  readonly observing: ReadonlySet<string>;
}

function find<T extends StoredDocument>(collection: Collection<T>, filter: Filter): Promise<readonly T[]> {
  return collection.find(filter, { limit: documentsAtOnce });
}

/** Each device's oldest first. */
function byDevice(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  const found = new Map<string, Operation[]>();
  for (const operation of operations) {
    const own = found.get(operation.endpoint);
    if (own === undefined) found.set(operation.endpoint, [operation]);
    else own.push(operation);
  }
  return found;
}

/** Only to be looked up by. */
function placeOf({ address, port, association }: StoredDevice["address"]): SocketAddress {
  if (association === undefined) return { address, port };
  return { address, port, association: { key: association, identity: undefined, serverName: undefined, fresh: false } };
}

function registrationFacts(registration: StoredDevice, nowMs: number): RegistrationFacts {
  const { registeredAt, expiresAt, barredAt = null, gone } = registration;
  return { registeredAt, expiresAt, barredAt, goneAt: gone?.at ?? null, nextContactAt: nextContact(registration, nowMs) };
}

function workOf({ operations, updates, observing }: Known, endpoint: string, nowMs: number): DeviceWork {
  const queued = (operations.get(endpoint) ?? []).filter(({ status }) => status === "queued");
  const due = queued.find(({ notBefore = 0 }) => notBefore <= nowMs);
  const [later] = queued
    .flatMap(({ queuedAt, notBefore = 0 }) => (notBefore > nowMs ? [{ since: queuedAt, at: notBefore }] : []))
    .toSorted((a, b) => a.at - b.at);
  const update = updates.get(endpoint);
  return {
    dueSince: due?.queuedAt,
    notBefore: later,
    observation: observing.has(endpoint),
    update: update === undefined ? undefined : { since: update.stateSince, nextAt: update.wakeAt },
  };
}

/** What is known of the time before this process. */
function storedSignal({ lastSeenAt }: Device, registration: StoredDevice | undefined): Signal | undefined {
  if (registration === undefined) return lastSeenAt === neverSeen ? undefined : { kind: "message", at: lastSeenAt };
  const { registeredAt, updatedAt } = registration;
  if (lastSeenAt > updatedAt) return { kind: "message", at: lastSeenAt };
  return { kind: registeredAt === updatedAt ? "register" : "update", at: updatedAt };
}
