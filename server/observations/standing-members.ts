/** Who a standing observation is for, written down per device: those who join and leave a group are followed, and all looked over now and then. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import type { Groups, MembershipNews } from "../groups/group-service.ts";
import type { Supervisor } from "../supervisor.ts";
import type { StandingDevice, StandingObservation } from "./standing.ts";
import type { StandingStore } from "./standing-store.ts";

export interface StandingMembersDeps {
  readonly store: StandingStore;
  readonly groups: Groups;
  readonly devices: Devices;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  /** Something is wished of the device, or not any more. */
  readonly kick: (endpoint: string) => void;
}

/** Documents of one read. */
const pageSize = 500;

export class StandingMembers {
  readonly #deps: StandingMembersDeps;
  readonly #store: StandingStore;
  /** One thing after the other: a later one sees what an earlier one wrote. */
  #syncing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: StandingMembersDeps) {
    this.#deps = deps;
    this.#store = deps.store;
    deps.groups.onChanged((news) => this.#noteMembership(news));
  }

  begin(standing: StandingObservation): void {
    this.#sync(() => this.#join(standing));
  }

  /** Other attributes, or another policy. */
  change(id: string): void {
    this.#sync(() => this.#kickAll(id));
  }

  end(standing: StandingObservation): void {
    this.#sync(() => this.#end(standing));
  }

  /** Should news of a member have been lost. */
  async lookOverAll(): Promise<void> {
    for await (const standing of this.#standings({})) this.#sync(() => this.#resync(standing));
  }

  /** Those whose last event was not told yet when the last device was. */
  async removeEnded(): Promise<void> {
    for await (const standing of this.#standings({})) if (standing.state === "ending") await this.removeIfEmpty(standing._id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#syncing;
  }

  #noteMembership({ group, endpoint }: MembershipNews): void {
    this.#sync(async () => {
      for await (const standing of this.#standings({ ...(group === undefined ? {} : { group }) })) {
        if (standing.group === null) continue;
        if (endpoint === undefined) await this.#resync(standing);
        else await this.#place(standing, endpoint);
      }
    });
  }

  /** In or out: one device. */
  async #place(standing: StandingObservation, endpoint: string): Promise<void> {
    const { groups, clock } = this.#deps;
    const { _id, group } = standing;
    if (group === null || standing.state === "ending") return;
    const isIn = (await groups.among([group], endpoint)).has(group);
    const device = await this.#store.findDevice(_id, endpoint);
    if (isIn) {
      if (await this.#store.join(standing, endpoint, clock.now())) this.#deps.kick(endpoint);
      return;
    }
    if (device === undefined || device.state === "leaving") return;
    await this.#store.leave(device, clock.now());
    this.#deps.kick(endpoint);
  }

  async #join(standing: StandingObservation): Promise<void> {
    const { groups, clock, devices } = this.#deps;
    const { endpoint, group } = standing;
    if (endpoint !== null) {
      if (!(await devices.isKnown(endpoint))) return;
      if (await this.#store.join(standing, endpoint, clock.now())) this.#deps.kick(endpoint);
      return;
    }
    const found = group === null ? undefined : await groups.find(group);
    if (found === undefined) return;
    for await (const page of groups.members(found)) {
      for (const member of page) {
        if (this.#closed) return;
        if (await this.#store.join(standing, member, clock.now())) this.#deps.kick(member);
      }
    }
  }

  /** Whoever is not written down joins, whoever is no member leaves. */
  async #resync(standing: StandingObservation): Promise<void> {
    if (standing.state === "ending") return this.#end(standing);
    await this.#join(standing);
    if (standing.group === null) return;
    for await (const { endpoint } of this.#devicesOf(standing._id)) await this.#place(standing, endpoint);
  }

  async #end({ _id }: StandingObservation): Promise<void> {
    for await (const device of this.#devicesOf(_id)) {
      if (this.#closed) return;
      if (device.state !== "leaving") await this.#store.leave(device, this.#deps.clock.now());
      this.#deps.kick(device.endpoint);
    }
    await this.removeIfEmpty(_id);
  }

  async #kickAll(id: string): Promise<void> {
    for await (const { endpoint } of this.#devicesOf(id)) this.#deps.kick(endpoint);
  }

  async removeIfEmpty(id: string): Promise<void> {
    const standing = await this.#store.find(id);
    if (standing?.state !== "ending" || (await this.#store.hasDevices(id))) return;
    // Its last event may not be told yet: then the next look finds it.
    await this.#store.remove(id);
  }

  #sync(work: () => Promise<void>): void {
    const next = this.#syncing.then(async () => {
      if (!this.#closed) await work();
    });
    this.#syncing = next.catch(() => {});
    this.#deps.supervisor.run(next, "write down who is observed");
  }

  async *#standings(query: { readonly group?: string }): AsyncGenerator<StandingObservation> {
    for (let after = ""; ; ) {
      const page = await this.#store.list({ ...query, after, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  async *#devicesOf(id: string): AsyncGenerator<StandingDevice> {
    for (let after = ""; ; ) {
      const page = await this.#store.devices(id, { after, limit: pageSize });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last.endpoint;
    }
  }
}
