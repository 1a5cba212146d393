/** The registry of devices: entries are made by the first registration, or beforehand, and live until somebody deletes them. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventDraft, EventType } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { type Device, type Devices, neverSeen } from "./device.ts";
import { DeviceStore } from "./device-store.ts";

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

export async function openDeviceService(deps: DeviceServiceDeps): Promise<DeviceService> {
  const service = new DeviceService(deps);
  await service.load();
  return service;
}

const pageSize = 1_000;

export class DeviceService implements Devices {
  readonly #deps: DeviceServiceDeps;
  readonly #store: DeviceStore;
  /** Devices seen by this process: also the proof that their entry exists. */
  readonly #sightings = new Map<string, Sighting>();
  readonly #quarantined = new Set<string>();

  constructor(deps: DeviceServiceDeps) {
    this.#deps = deps;
    this.#store = new DeviceStore(deps.store, deps.relay);
  }

  async load(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list(pageSize, after, "quarantined");
      for (const { _id } of page) this.#quarantined.add(_id);
      after = page.at(-1)?._id;
      if (page.length < pageSize) return;
    }
  }

  async ensure(endpoint: string): Promise<void> {
    if (!this.#sightings.has(endpoint)) await this.#make(endpoint);
  }

  create(endpoint: string): Promise<boolean> {
    return this.#make(endpoint, { seen: false });
  }

  /** Makes the entry of a device nobody expects; one that there is stays what it is. */
  async quarantine(endpoint: string): Promise<void> {
    if (await this.#make(endpoint, { state: "quarantined" })) this.#quarantined.add(endpoint);
    else await this.look(endpoint);
  }

  async claim(endpoint: string): Promise<boolean> {
    const device = await this.#store.find(endpoint);
    if (device === undefined) return false;
    const claimed = await this.#store.claim(endpoint, this.#draft("device.claimed", endpoint, `${device.createdAt}/claimed`));
    this.#quarantined.delete(endpoint);
    return claimed;
  }

  isQuarantined(endpoint: string): boolean {
    return this.#quarantined.has(endpoint);
  }

  /** In no order. */
  get quarantined(): ReadonlySet<string> {
    return this.#quarantined;
  }

  async look(endpoint: string): Promise<"known" | "quarantined" | undefined> {
    const device = await this.#store.find(endpoint);
    if (device?.state === "quarantined") this.#quarantined.add(endpoint);
    else this.#quarantined.delete(endpoint);
    return device === undefined ? undefined : (device.state ?? "known");
  }

  /** The same, for a device this process has seen without a look. */
  async stateOf(endpoint: string): Promise<"known" | "quarantined" | undefined> {
    return this.#sightings.has(endpoint) && !this.#quarantined.has(endpoint) ? "known" : this.look(endpoint);
  }

  async find(endpoint: string): Promise<Device | undefined> {
    const device = await this.#store.find(endpoint);
    return device === undefined ? undefined : this.#withSighting(device);
  }

  async findAll(endpoints: readonly string[]): Promise<readonly Device[]> {
    return (await this.#store.findAll(endpoints)).map((device) => this.#withSighting(device));
  }

  async isKnown(endpoint: string): Promise<boolean> {
    return this.#sightings.has(endpoint) || (await this.#store.find(endpoint)) !== undefined;
  }

  async list({ limit, after, state }: Parameters<Devices["list"]>[0]): Promise<readonly Device[]> {
    return (await this.#store.list(limit, after, state)).map((device) => this.#withSighting(device));
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
    this.#quarantined.delete(endpoint);
    return this.#store.remove(endpoint);
  }

  /** False when there was an entry. */
  async #make(
    endpoint: string,
    { state, seen = true }: { readonly state?: "quarantined"; readonly seen?: boolean } = {},
  ): Promise<boolean> {
    const createdAt = this.#deps.clock.now();
    const lastSeenAt = seen ? createdAt : neverSeen;
    const event = this.#draft(state === undefined ? "device.created" : "device.quarantined", endpoint, String(createdAt));
    const created = await this.#store.ensure(endpoint, { createdAt, lastSeenAt, ...(state === undefined ? {} : { state }) }, event);
    if (seen && !this.#sightings.has(endpoint)) this.#sightings.set(endpoint, { seenAt: createdAt, writtenAt: created ? createdAt : 0 });
    return created;
  }

  #draft(type: EventType, endpoint: string, step: string): EventDraft {
    return { key: `device/${endpoint}/${step}`, type, subject: endpoint, timeMs: this.#deps.clock.now(), data: {} };
  }

  #withSighting(device: Device): Device {
    const seenAt = this.#sightings.get(device._id)?.seenAt ?? 0;
    return seenAt > device.lastSeenAt ? { ...device, lastSeenAt: seenAt } : device;
  }
}
