/** Link profiles of single devices: kept in the store, and in force at the CoAP endpoint for as long as the device is registered. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Peer } from "@lwm2m/protocol/coap/message";
import { maxTransmitWaitMs, type TransmissionParameters } from "@lwm2m/protocol/coap/parameters";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { CollectionDefinition } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import { type DeviceLinks, type LinkFacts, type LinkProfile, parametersOf } from "./link-profile.ts";

export const linkProfileCollection: CollectionDefinition = { name: "linkProfiles", indexes: [] };

type StoredLinkProfile = LinkProfile & { readonly _id: string };

export interface LinkProfileDeps {
  readonly store: Store;
  readonly coap: Pick<CoapEndpoint, "peerAt" | "setParameters">;
  /** What the endpoint was opened with: the link of every device that has none of its own. */
  readonly usual: LinkProfile;
}

const pageSize = 1_000;
const msPerSecond = 1_000;

/** Reads what was set before. Open it before registrations are read: they place their devices. */
export async function openLinkProfileService(deps: LinkProfileDeps): Promise<LinkProfileService> {
  const profiles = new Map<string, LinkProfile>();
  const collection = deps.store.collection<StoredLinkProfile>(linkProfileCollection);
  let after = "";
  for (;;) {
    const page = await collection.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: pageSize });
    for (const { _id, ...profile } of page) profiles.set(_id, profile);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return new LinkProfileService(deps, profiles);
    after = last._id;
  }
}

export class LinkProfileService implements DeviceLinks, LinkFacts {
  readonly usual: LinkProfile;
  readonly #deps: LinkProfileDeps;
  readonly #profiles: Map<string, LinkProfile>;
  /** Devices whose profile is in force, and where: the endpoint holds a record per peer for it, so all that is set is taken back. */
  readonly #placed = new Map<string, Peer>();
  readonly #owners = new Map<Peer["key"], string>();

  constructor(deps: LinkProfileDeps, profiles: Map<string, LinkProfile>) {
    this.#deps = deps;
    this.#profiles = profiles;
    this.usual = deps.usual;
  }

  get placedDevices(): number {
    return this.#placed.size;
  }

  /** Undefined for a device that has none of its own. */
  find(endpoint: string): LinkProfile | undefined {
    return this.#profiles.get(endpoint);
  }

  /** Durable when it resolves; in force when the device is placed next. */
  async set(endpoint: string, profile: LinkProfile): Promise<void> {
    const { values, awakeSeconds, wakeUpBytes } = profile;
    const unset = {
      ...(values === undefined ? { values: true as const } : {}),
      ...(awakeSeconds === undefined ? { awakeSeconds: true as const } : {}),
      ...(wakeUpBytes === undefined ? { wakeUpBytes: true as const } : {}),
    };
    const update = { $set: { ...profile }, ...(Object.keys(unset).length === 0 ? {} : { $unset: unset }) };
    await this.#collection().updateOne({ _id: endpoint }, update, { upsert: true });
    this.#profiles.set(endpoint, profile);
  }

  /** False when there was none. */
  async remove(endpoint: string): Promise<boolean> {
    const { deleted } = await this.#collection().deleteOne({ _id: endpoint });
    this.#profiles.delete(endpoint);
    this.leave(endpoint);
    return deleted > 0;
  }

  place(endpoint: string, address: SocketAddress): void {
    const profile = this.#profiles.get(endpoint);
    // Most fleets hang on one link: then no device pays for this.
    if (profile === undefined && this.#placed.size === 0) return;
    const peer = this.#deps.coap.peerAt(address);
    if (this.#placed.get(endpoint)?.key !== peer.key) this.leave(endpoint);
    const owner = this.#owners.get(peer.key);
    if (owner !== undefined && owner !== endpoint) this.leave(owner);
    if (profile === undefined) return;
    this.#placed.set(endpoint, peer);
    this.#owners.set(peer.key, endpoint);
    this.#deps.coap.setParameters(peer, parametersOf(profile));
  }

  leave(endpoint: string): void {
    const peer = this.#placed.get(endpoint);
    if (peer === undefined) return;
    this.#placed.delete(endpoint);
    this.#owners.delete(peer.key);
    this.#deps.coap.setParameters(peer, undefined);
  }

  linkOf(endpoint: string): LinkProfile {
    return this.#profiles.get(endpoint) ?? this.usual;
  }

  awakeWindowMs(endpoint: string): number {
    const { awakeSeconds, ...profile } = this.linkOf(endpoint);
    return awakeSeconds === undefined ? maxTransmitWaitMs(parametersOf(profile)) : awakeSeconds * msPerSecond;
  }

  /** In force for the device. */
  parametersAt(endpoint: string): TransmissionParameters {
    return parametersOf(this.#profiles.get(endpoint) ?? this.usual);
  }

  #collection() {
    return this.#deps.store.collection<StoredLinkProfile>(linkProfileCollection);
  }
}
