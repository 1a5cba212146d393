/** Groups and who is in them; whoever works on the members of a group hears of those that come and go. */
import type { Random } from "@lwm2m/protocol/ports/random";
import type { DeviceFacet } from "../devices/device.ts";
import type { Condition } from "../filter/filter.ts";
import type { Store } from "../storage/store.ts";
import { ulid } from "../ulid.ts";
import { type FoundDevices, type SearchPage, searchDevices } from "./device-search.ts";
import { fits, type Group, type GroupQuery } from "./group.ts";
import { GroupStore } from "./group-store.ts";
import { TraitKeeper, type TraitKeeperDeps } from "./trait-keeper.ts";
import { TraitStore } from "./trait-store.ts";

export interface GroupServiceDeps extends TraitKeeperDeps {
  readonly store: Store;
  readonly random: Random;
}

export interface NewGroup {
  readonly name: string;
  readonly query?: GroupQuery;
  readonly members?: readonly string[];
}

export interface GroupChange {
  readonly name?: string;
  readonly query?: GroupQuery;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export type GroupOutcome =
  | { readonly ok: true; readonly group: Group }
  | { readonly ok: false; readonly reason: "unknown" }
  | { readonly ok: false; readonly reason: "name-taken" | "other-kind" | "in-use"; readonly detail: string }
  | {
      readonly ok: false;
      readonly reason: "device-unknown";
      readonly field: "members" | "add";
      readonly position: number;
      readonly name: string;
    };

/** `endpoint` absent: any member of the group may have come or gone; `group` absent: the device may have changed any. */
export interface MembershipNews {
  readonly group?: string;
  readonly endpoint?: string;
}

/** What others need of groups. */
export interface Groups {
  find(id: string): Promise<Group | undefined>;
  /** Those of the groups that the device is in. */
  among(groups: readonly string[], endpoint: string): Promise<ReadonlySet<string>>;
  /** By endpoint name, in pages. Whoever is a member throughout is in it. */
  members(group: Group): AsyncIterable<readonly string[]>;
  onChanged(listener: (news: MembershipNews) => void): void;
  /** A group that is used, in words, cannot be removed. */
  protect(useOf: (group: string) => Promise<string | undefined>): void;
}

const casAttempts = 5;
const memberPage = 1_000;

/** Traits are kept from the first query group on. */
export async function openGroupService(deps: GroupServiceDeps): Promise<GroupService> {
  const service = new GroupService(deps);
  await service.load();
  return service;
}

export class GroupService implements Groups {
  readonly #deps: GroupServiceDeps;
  readonly #store: GroupStore;
  readonly #traits: TraitStore;
  readonly #keeper: TraitKeeper;
  readonly #listeners: ((news: MembershipNews) => void)[] = [];
  readonly #uses: ((group: string) => Promise<string | undefined>)[] = [];

  constructor(deps: GroupServiceDeps) {
    this.#deps = deps;
    this.#store = new GroupStore(deps.store);
    this.#traits = new TraitStore(deps.store);
    this.#keeper = new TraitKeeper(deps, this.#traits, (endpoint) => this.#tell({ endpoint }));
  }

  async load(): Promise<void> {
    if (await this.#traits.isKept()) this.#deps.supervisor.run(this.#keeper.begin(), "learn the traits of devices");
  }

  find(id: string): Promise<Group | undefined> {
    return this.#store.find(id);
  }

  list(limit: number, after?: string): Promise<readonly Group[]> {
    return this.#store.list(limit, after);
  }

  newId(): string {
    return ulid(this.#deps.clock.now(), this.#deps.random);
  }

  /** Under an id that was promised before, it can be called again after whatever came of the first call. */
  async create({ name, query, members = [] }: NewGroup, id = this.newId()): Promise<GroupOutcome> {
    const unknown = await this.#findUnknown(members, "members");
    if (unknown !== undefined) return unknown;
    const nowMs = this.#deps.clock.now();
    const group = { _id: id, name, query: query ?? null, createdAt: nowMs, updatedAt: nowMs, rev: 1 };
    // Members of a group that is not there yet are nobody's: so one that is there has all of them.
    await this.#store.add(id, members);
    if (await this.#store.insert(group)) return { ok: true, group };
    const present = await this.#store.find(id);
    if (present !== undefined) return { ok: true, group: present };
    await this.#store.take(id, members);
    return nameTaken(name);
  }

  async change(id: string, { name, query, add = [], remove = [] }: GroupChange): Promise<GroupOutcome> {
    for (let attempt = 0; attempt < casAttempts; attempt += 1) {
      const group = await this.#store.find(id);
      if (group === undefined) return { ok: false, reason: "unknown" };
      const misfit = kindFault(group, query, add.length + remove.length);
      if (misfit !== undefined) return { ok: false, reason: "other-kind", detail: misfit };
      const unknown = await this.#findUnknown(add, "add");
      if (unknown !== undefined) return unknown;
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(query === undefined ? {} : { query }),
        updatedAt: this.#deps.clock.now(),
      };
      const outcome = await this.#store.change(group, change);
      if (outcome === "taken") return nameTaken(name ?? group.name);
      if (outcome === "raced") continue;
      await this.#store.add(id, add);
      await this.#store.take(id, remove);
      for (const endpoint of [...add, ...remove]) this.#tell({ group: id, endpoint });
      if (query !== undefined) this.#tell({ group: id });
      return { ok: true, group: { ...group, ...change, rev: group.rev + 1 } };
    }
    throw new Error(`group ${id} changed ${casAttempts} times while it was changed`);
  }

  async remove(id: string): Promise<GroupOutcome> {
    const group = await this.#store.find(id);
    if (group === undefined) return { ok: false, reason: "unknown" };
    for (const useOf of this.#uses) {
      const use = await useOf(id);
      if (use !== undefined) return { ok: false, reason: "in-use", detail: `the group is used by ${use}` };
    }
    await this.#store.remove(id);
    return { ok: true, group };
  }

  /** A page by endpoint name, after one of them; shorter than `limit` only at the end. */
  async memberPage({ _id, query }: Group, limit: number, after: string): Promise<readonly string[]> {
    if (query === null) return this.#store.members(_id, limit, after);
    await this.#keeper.begin();
    const found: string[] = [];
    for (let from = after; found.length < limit; ) {
      const page = await this.#traits.candidates(query, from);
      const last = page.at(-1);
      if (last === undefined) break;
      for (const traits of page) if (fits(query, traits)) found.push(traits._id);
      from = last._id;
    }
    return found.slice(0, limit);
  }

  /** From the first search on traits are kept: then every device is looked at once. */
  async search(condition: Condition, page: SearchPage): Promise<FoundDevices> {
    await this.#keeper.begin();
    return searchDevices({ traits: this.#traits, devices: this.#deps.devices }, condition, page);
  }

  async *members(group: Group): AsyncGenerator<readonly string[]> {
    let after = "";
    for (;;) {
      const page = await this.memberPage(group, memberPage, after);
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < memberPage) return;
      after = last;
    }
  }

  async among(groups: readonly string[], endpoint: string): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const traits = groups.length === 0 ? undefined : await this.#traits.find(endpoint);
    for (const id of new Set(groups)) {
      const group = await this.#store.find(id);
      if (group === undefined) continue;
      const isIn = group.query === null ? await this.#store.isMember(id, endpoint) : traits !== undefined && fits(group.query, traits);
      if (isIn) found.add(id);
    }
    return found;
  }

  onChanged(listener: (news: MembershipNews) => void): void {
    this.#listeners.push(listener);
  }

  protect(useOf: (group: string) => Promise<string | undefined>): void {
    this.#uses.push(useOf);
  }

  async tagsOf(endpoint: string): Promise<readonly string[]> {
    return (await this.#traits.find(endpoint))?.tags ?? [];
  }

  /** False: there is no such device. */
  async setTags(endpoint: string, tags: readonly string[]): Promise<boolean> {
    if (!(await this.#deps.devices.isKnown(endpoint))) return false;
    await this.#traits.setTags(endpoint, tags);
    this.#tell({ endpoint });
    return true;
  }

  facet(): DeviceFacet {
    return {
      describe: async (endpoint) => ({ tags: [...(await this.tagsOf(endpoint))] }),
      forget: async (endpoint) => {
        await this.#store.forgetDevice(endpoint);
        await this.#keeper.forget(endpoint);
      },
    };
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  #tell(news: MembershipNews): void {
    for (const listener of this.#listeners) listener(news);
  }

  async #findUnknown(names: readonly string[], field: "members" | "add"): Promise<GroupOutcome | undefined> {
    for (const [position, name] of names.entries()) {
      if (!(await this.#deps.devices.isKnown(name))) return { ok: false, reason: "device-unknown", field, position, name };
    }
    return undefined;
  }
}

function kindFault({ query }: Group, wanted: GroupQuery | undefined, listed: number): string | undefined {
  if (query === null && wanted !== undefined) return "its members are listed: it takes add and remove, not query";
  return query !== null && listed > 0 ? "its members are those that fit its query: it takes query, not add and remove" : undefined;
}

function nameTaken(name: string): GroupOutcome {
  return { ok: false, reason: "name-taken", detail: `another group is named ${JSON.stringify(name)}` };
}
