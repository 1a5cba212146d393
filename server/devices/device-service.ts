/** The registry of devices: entries are made by the first registration and live until somebody deletes them. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import type { Device, Devices } from "./device.ts";
import { DeviceStore, deviceCollection } from "./device-store.ts";

/** One write a minute per device at most: a fleet that talks every second must not write every second. */
const seenResolutionMs = 60_000;

interface Sighting {
  seenAt: number;
  writtenAt: number;
}

export interface DeviceServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
}

export function openDeviceService(deps: DeviceServiceDeps): DeviceService {
  return new DeviceService(deps);
}

export class DeviceService implements Devices {
  readonly #deps: DeviceServiceDeps;
  readonly #store: DeviceStore;
  /** Devices seen by this process: also the proof that their entry exists. */
  readonly #sightings = new Map<string, Sighting>();

  constructor(deps: DeviceServiceDeps) {
    this.#deps = deps;
    this.#store = new DeviceStore(deps.store);
  }

  async ensure(endpoint: string): Promise<void> {
    if (this.#sightings.has(endpoint)) return;
    const nowMs = this.#deps.clock.now();
    const created = await this.#store.ensure(endpoint, nowMs, {
      key: `device/${endpoint}/${nowMs}`,
      type: "device.created",
      subject: endpoint,
      timeMs: nowMs,
      data: {},
    });
    if (created) this.#deps.relay.nudge(deviceCollection.name, endpoint);
    this.#sightings.set(endpoint, { seenAt: nowMs, writtenAt: created ? nowMs : 0 });
  }

  async find(endpoint: string): Promise<Device | undefined> {
    const device = await this.#store.find(endpoint);
    return device === undefined ? undefined : this.#withSighting(device);
  }

  async isKnown(endpoint: string): Promise<boolean> {
    return this.#sightings.has(endpoint) || (await this.#store.find(endpoint)) !== undefined;
  }

  async list(query: { readonly limit: number; readonly after?: string }): Promise<readonly Device[]> {
    return (await this.#store.list(query.limit, query.after)).map((device) => this.#withSighting(device));
  }

  noteSeen(endpoint: string): void {
    const nowMs = this.#deps.clock.now();
    const sighting = this.#sightings.get(endpoint) ?? { seenAt: nowMs, writtenAt: 0 };
    sighting.seenAt = nowMs;
    this.#sightings.set(endpoint, sighting);
    if (nowMs - sighting.writtenAt < seenResolutionMs) return;
    sighting.writtenAt = nowMs;
    this.#deps.supervisor.run(this.#store.noteSeen(endpoint, nowMs), `note that ${endpoint} was seen`);
  }

  async remove(endpoint: string): Promise<boolean> {
    this.#sightings.delete(endpoint);
    return this.#store.remove(endpoint);
  }

  #withSighting(device: Device): Device {
    const seenAt = this.#sightings.get(device._id)?.seenAt ?? 0;
    return seenAt > device.lastSeenAt ? { ...device, lastSeenAt: seenAt } : device;
  }
}
