/** Registrations: durable before the device hears of them, expired by our own sweeper because expiry must fire events. */
import { defaultParameters, maxTransmitWaitMs } from "@lwm2m/protocol/coap/parameters";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Devices } from "../devices/device.ts";
import type { DeviceLinks } from "../devices/link-profile.ts";
import { noSecuredPeers, type SecuredPeers } from "../doors/secured-peers.ts";
import type { DueLoop } from "../due-loop.ts";
import type { EventDraft, EventLog, EventType } from "../events/event.ts";
import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Json } from "../storage/collection.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import { AwakeWindows } from "./awake-windows.ts";
import { DeviceAddresses, placeOf } from "./device-addresses.ts";
import { openExpirySweeper } from "./expiry-sweeper.ts";
import { recallRegistrations } from "./recalled-registrations.ts";
import type { DisconnectListener, GoneListener, MoveListener, Registration, Registrations, SignListener } from "./registration.ts";
import { presenceTeller, registrationDraft, summaryOf } from "./registration-events.ts";
import { RegistrationListeners } from "./registration-listeners.ts";
import { alarmOf, newRegistration, nextContact, type RegisterFacts, type UpdateFacts, updateRegistration } from "./registration-machine.ts";
import { type GoneReason, RegistrationStore, type StoredRegistration } from "./registration-store.ts";

export interface RegistrationServiceDeps {
  readonly store: Store;
  readonly relay: OutboxRelay;
  readonly events: EventLog;
  readonly devices: Devices;
  readonly clock: Clock;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly owner: ProcessOwner;
  /** The links devices hang on; without it all on the same, with a window of MAX_TRANSMIT_WAIT, 93 s (LwM2M Core 1.1 §6.5). */
  readonly links?: DeviceLinks;
  /** Where secured connections are; without it there are none. */
  readonly secured?: Pick<SecuredPeers, "find" | "drop">;
}

/** Reads what was registered before; a queue-mode device counts as asleep until it says something. */
export async function openRegistrationService(deps: RegistrationServiceDeps): Promise<RegistrationService> {
  const service = new RegistrationService(deps);
  await service.load();
  return service;
}

/** 128 bits: whoever knows a location may update and end the registration over NoSec. */
const locationBytes = 16;
/** Races of one registration with itself: an Update against the sweeper or a second Update. */
const casAttempts = 5;

export class RegistrationService implements Registrations {
  readonly #deps: RegistrationServiceDeps;
  readonly #store: RegistrationStore;
  readonly #windows: AwakeWindows;
  readonly #addresses = new DeviceAddresses();
  readonly #secured: Pick<SecuredPeers, "find" | "drop">;
  readonly #listeners = new RegistrationListeners();
  /** Devices nobody was told of when they registered: in quarantine, or claimed since. */
  readonly #withheld = new Set<string>();
  #sweeper: DueLoop | undefined;

  constructor(deps: RegistrationServiceDeps) {
    this.#deps = deps;
    this.#secured = deps.secured ?? noSecuredPeers;
    this.#store = new RegistrationStore(deps, this.#secured);
    const windowMsOf = (endpoint: string): number => deps.links?.awakeWindowMs(endpoint) ?? maxTransmitWaitMs(defaultParameters);
    this.#windows = new AwakeWindows(deps.clock, windowMsOf, presenceTeller(deps));
  }

  async load(): Promise<void> {
    await this.#rememberAll();
    this.#deps.owner.onGone(() => this.#rememberAll());
    const expire = (registration: StoredRegistration): Promise<boolean> => this.#end(registration, "expired");
    this.#sweeper = openExpirySweeper({ ...this.#deps, store: this.#store, expire });
  }

  /** Durable when it resolves; call `announce` once the reply has left. */
  async register(facts: RegisterFacts): Promise<Registration> {
    const nowMs = this.#deps.clock.now();
    await this.#deps.devices.ensure(facts.endpoint);
    const locationId = Buffer.from(this.#deps.random.bytes(locationBytes)).toString("base64url");
    const registration = newRegistration(facts, locationId, nowMs);
    const about = { ...summaryOf(registration), replaced: this.#addresses.has(facts.endpoint) };
    const event = this.#draft("device.registered", registration, "registered", about);
    await this.#store.replace(registration, event);
    this.#remember(registration);
    if (registration.expiresAt !== null) this.#sweeper?.hasten(registration.expiresAt);
    return { ...registration, rev: 1, outbox: [], hasOutbox: false };
  }

  /** Undefined: the registration is gone, or was replaced. */
  async update(present: StoredRegistration, facts: UpdateFacts): Promise<Registration | undefined> {
    const { locationId } = present;
    await this.#lookAgain(present);
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const registration = attempt === 0 ? present : await this.findAt(locationId);
      if (registration === undefined) return undefined;
      const nowMs = this.#deps.clock.now();
      const { fields, changed } = updateRegistration(registration, facts, nowMs);
      const about = { changed: [...changed], ...summaryOf({ ...registration, ...fields }) };
      const events = changed.length === 0 ? [] : [this.#draft("device.updated", registration, String(registration.rev + 1), about)];
      const contactIntervalMs = nowMs - registration.updatedAt;
      const alarmAt = alarmOf(registration.alarmAt, fields.expiresAt, nowMs);
      if (!(await this.#store.update(registration, { ...fields, alarmAt, contactIntervalMs }, events))) continue;
      const updated = { ...registration, ...fields, alarmAt, contactIntervalMs, rev: registration.rev + 1 };
      this.#remember(updated);
      if (alarmAt !== null) this.#sweeper?.hasten(alarmAt);
      if (placeOf(updated.address) !== placeOf(registration.address)) await this.#listeners.tellMoved(updated);
      return updated;
    }
    throw new Error(`the registration at ${locationId} changed ${casAttempts} times while it was updated`);
  }

  /** The device has made a new secured connection: its registration goes on there (LwM2M Core 1.1 §6.2.2), if `isIts` says so. */
  async follow(endpoint: string, address: SocketAddress, isIts: (registration: Registration) => boolean): Promise<void> {
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const registration = await this.#store.findLast(endpoint);
      if (registration?.gone !== null || placeOf(registration.address) === placeOf(address) || !isIts(registration)) return;
      if (!(await this.#store.update(registration, { address, barredAt: null }, []))) continue;
      const moved = { ...registration, address, barredAt: null, rev: registration.rev + 1 };
      this.#remember(moved);
      return this.#listeners.tellMoved(moved);
    }
    throw new Error(`the registration of ${endpoint} changed ${casAttempts} times while its device connected`);
  }

  /** A secured connection is gone. Returns the device that was there. */
  noteDisconnected(address: SocketAddress): string | undefined {
    const endpoint = this.#addresses.endpointAt(address);
    if (endpoint === undefined) return undefined;
    this.#windows.end(endpoint);
    this.#listeners.tellDisconnected(endpoint);
    return endpoint;
  }

  /** The credential that the device registered with is not valid any more. */
  async bar(endpoint: string): Promise<void> {
    const registration = await this.find(endpoint);
    if (registration === undefined) return;
    const event = this.#draft("device.barred", registration, `barred/${registration.rev}`, { reason: "credential-removed" });
    // One that changed meanwhile was changed by its device, or is gone.
    await this.#store.update(registration, { barredAt: this.#deps.clock.now() }, [event]);
  }

  /** False: no live registration has this location. */
  async deregister(locationId: string): Promise<boolean> {
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const registration = await this.findAt(locationId);
      if (registration === undefined) return false;
      if (await this.#end(registration, "deregistered")) return true;
    }
    throw new Error(`the registration at ${locationId} changed ${casAttempts} times while it was ended`);
  }

  /** The reply has left: from here on the device hears us (LwM2M Core 1.1 §6.2.1). One in quarantine hears nothing, and nobody hears of it. */
  announce(endpoint: string, kind: "registered" | "contact", by?: Parameters<SignListener>[2]): void {
    this.#deps.devices.noteSeen(endpoint);
    if (this.#deps.devices.isQuarantined(endpoint)) {
      this.#withheld.add(endpoint);
      return;
    }
    this.#windows.extend(endpoint);
    const signal = by ?? (kind === "registered" ? "register" : "update");
    this.#listeners.tellSign(endpoint, this.#withheld.delete(endpoint) ? "registered" : kind, signal);
  }

  async find(endpoint: string): Promise<StoredRegistration | undefined> {
    const last = await this.#store.findLast(endpoint);
    return last?.gone === null ? last : undefined;
  }

  /** The live registration at a location. */
  async findAt(locationId: string): Promise<StoredRegistration | undefined> {
    const registration = await this.#store.findByLocation(locationId);
    return registration?.gone === null ? registration : undefined;
  }

  findLast(endpoint: string): Promise<StoredRegistration | undefined> {
    return this.#store.findLast(endpoint);
  }

  /** The registered device that sends from there: over a secured connection, or from an address without one (NoSec). None in quarantine. */
  endpointAt(address: SocketAddress): string | undefined {
    const endpoint = this.#addresses.endpointAt(address);
    return endpoint === undefined || this.#deps.devices.isQuarantined(endpoint) ? undefined : endpoint;
  }

  onSignOfLife(listener: SignListener): void {
    this.#listeners.sign.push(listener);
  }

  onMoved(listener: MoveListener): void {
    this.#listeners.move.push(listener);
  }

  onDisconnected(listener: DisconnectListener): void {
    this.#listeners.disconnect.push(listener);
  }

  onGone(listener: GoneListener): void {
    this.#listeners.gone.push(listener);
  }

  /** An address another device has registered from since is not this one's any more (NoSec): a request would reach the wrong device. */
  isAwake(endpoint: string): boolean {
    if (this.#deps.devices.isQuarantined(endpoint)) return false;
    return this.#addresses.isOwner(endpoint) && this.#windows.isAwake(endpoint) && this.isConnected(endpoint);
  }

  awakeWindow(endpoint: string): { readonly since: number; readonly until: number } | undefined {
    return this.#windows.find(endpoint);
  }

  isConnected(endpoint: string): boolean {
    const association = this.#addresses.associationOf(endpoint);
    return association === undefined || this.#secured.find(association) !== undefined;
  }

  nextExpectedContact(registration: Registration & { readonly contactIntervalMs?: number | null }): number | undefined {
    return nextContact(registration, this.#deps.clock.now());
  }

  noteContact(endpoint: string, signal: "send" | "notify" | "answer" = "answer"): void {
    if (this.#addresses.has(endpoint)) this.announce(endpoint, "contact", signal);
  }

  /** Something of little weight, perhaps one of thousands in a row: only a device that was asleep makes news. */
  noteHeard(endpoint: string): void {
    if (this.isAwake(endpoint)) this.#windows.extend(endpoint);
    else this.noteContact(endpoint);
  }

  noteUnreachable(endpoint: string): void {
    this.#windows.end(endpoint);
  }

  countWithObject(objectId: number, isMeant: (version: string) => boolean): Promise<number> {
    return this.#store.countWithObject(objectId, isMeant);
  }

  /** The device was deleted from the registry. */
  async forget(endpoint: string): Promise<void> {
    const registration = await this.find(endpoint);
    if (registration !== undefined) await this.#end(registration, "deregistered");
    await this.#store.remove(endpoint);
  }

  /** The link profile of the device was changed. */
  async placeAgain(endpoint: string): Promise<void> {
    const registration = await this.find(endpoint);
    if (registration !== undefined && this.#addresses.endpointAt(registration.address) === endpoint) {
      this.#deps.links?.place(endpoint, registration.address);
    }
  }

  async close(): Promise<void> {
    this.#windows.close();
    await this.#sweeper?.close();
  }

  async #end(registration: StoredRegistration, reason: GoneReason): Promise<boolean> {
    const type = reason === "expired" ? "device.expired" : "device.deregistered";
    const event = this.#draft(type, registration, reason, summaryOf(registration));
    if (!(await this.#store.markGone(registration, reason, this.#deps.clock.now(), event))) return false;
    this.#windows.remove(registration._id);
    this.#addresses.forget(registration._id);
    this.#withheld.delete(registration._id);
    this.#deps.links?.leave(registration._id);
    this.#listeners.tellGone(registration._id, reason);
    return true;
  }

  /** Another process may have put it in quarantine, or claimed it. */
  async #lookAgain({ _id, owner }: Registration): Promise<void> {
    const { devices, owner: here } = this.#deps;
    if (devices.isQuarantined(_id) || (here.isShared && owner !== here.name)) await devices.look(_id);
  }

  #rememberAll(): Promise<void> {
    const remember = (registration: StoredRegistration, owns: boolean): void => this.#remember(registration, owns);
    return recallRegistrations(this.#store, this.#addresses, this.#windows, remember);
  }

  #remember({ _id, queueMode, address }: Pick<Registration, "_id" | "queueMode" | "address">, ownsAddress = true): void {
    this.#windows.add(_id, queueMode);
    const left = this.#addresses.remember(_id, address, ownsAddress);
    if (left !== undefined) this.#secured.drop(left);
    if (ownsAddress) this.#deps.links?.place(_id, address);
  }

  #draft(type: EventType, registration: Pick<Registration, "_id" | "locationId">, step: string, data: Json): EventDraft {
    return registrationDraft(type, registration, step, { data, timeMs: this.#deps.clock.now() });
  }
}
