/**
 * Which devices are looked at, and whose message is whose. While nobody is, the CoAP doors are not tapped at all.
 *
 * A message belongs to the device registered at its address; before that to the one that introduced itself from there (`ep=` of a
 * Register or Bootstrap-Request). What came from an address nobody is known at is kept for a while: the Update that tells of a new
 * address is such a message, and what a device said before it registered.
 */
import { Method } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { CoapFormatError } from "@lwm2m/protocol/coap/format-error";
import type { TraceEvent } from "@lwm2m/protocol/coap/message-layer-contract";
import { MessageView } from "@lwm2m/protocol/coap/message-view";
import { readRequestFields } from "@lwm2m/protocol/coap/request-fields";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { type TracedDoor, type TracedMessage, type TraceLimits, TraceRings } from "./trace-rings.ts";

export const tracedDeviceCollection: CollectionDefinition = { name: "tracedDevices", indexes: [] };

export interface TraceDoor {
  readonly door: TracedDoor;
  readonly coap: Pick<CoapEndpoint, "peerAt" | "tap">;
  /** The device registered at an address. */
  readonly endpointAt: (address: SocketAddress) => string | undefined;
}

export interface TraceDeps {
  readonly store: Store;
  readonly doors: readonly TraceDoor[];
  /** Every device, not only those that were chosen. */
  readonly all: boolean;
  readonly limits: TraceLimits;
}

/** Devices chosen at one time: each is a document, and every message of the server is looked at for them. */
export const mostChosenDevices = 1_000;
/** Addresses whose device introduced itself without being registered yet. */
const mostIntroductions = 1_000;
/** Devices whose last address is remembered: anybody may name new ones. */
const mostPlaces = 10_000;
/** Messages from addresses nobody is known at. */
const mostStrangersMessages = 256;
/** A block of 1,024 bytes with its options fits; what is longer is shown cut. */
const keptBytes = 2_048;
const introductions: ReadonlySet<string> = new Set(["rd", "bs"]);

/** Reads who was chosen before; taps the doors if anybody was. */
export async function openTraceService(deps: TraceDeps): Promise<TraceService> {
  const chosen = await deps.store.collection(tracedDeviceCollection).find({ _id: { $gt: "" } }, { limit: mostChosenDevices });
  return new TraceService(deps, new Set(chosen.map(({ _id }) => _id)));
}

interface Stranger {
  readonly place: string;
  readonly message: TracedMessage;
}

export class TraceService {
  readonly #deps: TraceDeps;
  readonly #chosen: Set<string>;
  readonly #rings: TraceRings;
  readonly #view = new MessageView();
  readonly #introduced = new Map<string, string>();
  /** Where each device was heard last: elsewhere means that strangers' messages may be its own. */
  readonly #places = new Map<string, string>();
  #strangers: Stranger[] = [];

  constructor(deps: TraceDeps, chosen: Set<string>) {
    this.#deps = deps;
    this.#chosen = chosen;
    this.#rings = new TraceRings(deps.limits);
    this.#tap();
  }

  isOn(endpoint: string): boolean {
    return this.#deps.all || this.#chosen.has(endpoint);
  }

  /** Durable when it resolves; the device need not be known yet. False: too many are chosen. */
  async choose(endpoint: string): Promise<boolean> {
    if (this.#chosen.has(endpoint)) return true;
    if (this.#chosen.size >= mostChosenDevices) return false;
    this.#chosen.add(endpoint);
    this.#tap();
    await this.#collection().updateOne({ _id: endpoint }, { $set: { chosen: true } }, { upsert: true });
    return true;
  }

  /** Forgets what was kept, too. */
  async leave(endpoint: string): Promise<void> {
    this.#rings.forget(endpoint);
    this.#places.delete(endpoint);
    if (!this.#chosen.delete(endpoint)) return;
    this.#tap();
    await this.#collection().deleteOne({ _id: endpoint });
  }

  /** Oldest first. */
  messagesOf(endpoint: string): readonly TracedMessage[] {
    return this.#rings.of(endpoint);
  }

  close(): void {
    for (const { coap } of this.#deps.doors) coap.tap(undefined);
  }

  #tap(): void {
    const isNeeded = this.#deps.all || this.#chosen.size > 0;
    for (const door of this.#deps.doors) door.coap.tap(isNeeded ? (event) => this.#take(door, event) : undefined);
    if (isNeeded) return;
    this.#strangers = [];
    this.#introduced.clear();
  }

  #take(door: TraceDoor, { direction, at, peer, bytes }: TraceEvent): void {
    const place = `${door.door} ${door.coap.peerAt(peer).key}`;
    const introduced = direction === "in" ? this.#introductionIn(bytes) : undefined;
    if (introduced !== undefined) setNewest(this.#introduced, place, introduced, mostIntroductions);
    const endpoint = introduced ?? door.endpointAt(peer) ?? this.#introduced.get(place);
    if (endpoint !== undefined && !this.isOn(endpoint)) return;
    const message: TracedMessage = {
      ...{ door: door.door, direction, at },
      peer: { address: peer.address, port: peer.port },
      sizeBytes: bytes.length,
      bytes: Uint8Array.prototype.slice.call(bytes, 0, keptBytes),
    };
    if (endpoint === undefined) this.#keepStranger(place, message);
    else this.#keep(endpoint, place, message);
  }

  #keep(endpoint: string, place: string, message: TracedMessage): void {
    if (this.#places.get(endpoint) !== place) {
      setNewest(this.#places, endpoint, place, mostPlaces);
      const own = this.#strangers.filter((stranger) => stranger.place === place);
      if (own.length > 0) this.#strangers = this.#strangers.filter((stranger) => stranger.place !== place);
      for (const { message: earlier } of own) this.#rings.push(endpoint, earlier);
    }
    this.#rings.push(endpoint, message);
  }

  #keepStranger(place: string, message: TracedMessage): void {
    this.#strangers.push({ place, message });
    if (this.#strangers.length > mostStrangersMessages) this.#strangers.shift();
  }

  /** The endpoint name in a Register or Bootstrap-Request (LwM2M Transport 1.1 §6.4). */
  #introductionIn(bytes: Uint8Array): string | undefined {
    if (bytes[1] !== Method.post) return undefined;
    try {
      this.#view.decode(bytes);
    } catch (error) {
      if (error instanceof CoapFormatError) return undefined;
      throw error;
    }
    const { path, query } = readRequestFields(this.#view);
    if (path.length !== 1 || !introductions.has(path[0] ?? "")) return undefined;
    const name = query.find((argument) => argument.startsWith("ep="))?.slice("ep=".length);
    return name === "" ? undefined : name;
  }

  #collection() {
    return this.#deps.store.collection(tracedDeviceCollection);
  }
}

/** The oldest entry makes room. */
function setNewest(map: Map<string, string>, key: string, value: string, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
