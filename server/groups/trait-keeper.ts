/**
 * Keeps the traits of all devices at what registrations and last values say, once a query group needs them: all are looked at once,
 * from then on those that an event names. The place in the event log is kept, so that a restart misses nothing.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Devices } from "../devices/device.ts";
import type { EventFeed, EventType, LoggedEvent } from "../events/event.ts";
import { followEvents } from "../events/event-follower.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Supervisor } from "../supervisor.ts";
import { traitPaths } from "./group.ts";
import type { LearnedTraits, TraitStore } from "./trait-store.ts";

export interface TraitKeeperDeps {
  readonly events: EventFeed;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly devices: Devices;
  readonly registrations: Pick<Registrations, "findLast">;
  /** The last known text of a resource, undefined when none is known. */
  readonly lastText: LastText;
  /** Events of other processes are not told here, so the place in the log says nothing of them. */
  readonly isShared: boolean;
}

/** Of several resources of one device, in their order. */
export type LastText = (endpoint: string, paths: readonly string[]) => Promise<readonly (string | undefined)[]>;

const followed: readonly EventType[] = ["device.created", "device.quarantined", "device.registered", "device.updated", "resource.changed"];
const watchedPaths: ReadonlySet<string> = new Set(Object.values(traitPaths));
const devicePage = 500;
/** Written so often at most; what was seen since then is looked at again after a crash. */
const cursorEveryMs = 10_000;
const idleMs = 3_600_000;

export class TraitKeeper {
  readonly #deps: TraitKeeperDeps;
  readonly #store: TraitStore;
  readonly #onChanged: (endpoint: string) => void;
  readonly #abort = new AbortController();
  /** Deleted, and not made anew: a look that was under way must not bring it back. */
  readonly #forgotten = new Set<string>();
  #ready: Promise<void> | undefined;
  #following: Promise<void> = Promise.resolve();
  #cursorAt = 0;

  constructor(deps: TraitKeeperDeps, store: TraitStore, onChanged: (endpoint: string) => void) {
    this.#deps = deps;
    this.#store = store;
    this.#onChanged = onChanged;
  }

  /** Resolves when the traits of every device are known; tried anew by the next call when the store was away. */
  begin(): Promise<void> {
    this.#ready ??= this.#begin().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async forget(endpoint: string): Promise<void> {
    this.#forgotten.add(endpoint);
    await this.#store.remove(endpoint);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#following.catch(() => {});
  }

  async #begin(): Promise<void> {
    const { events, supervisor } = this.#deps;
    const kept = this.#deps.isShared ? undefined : await this.#store.cursor();
    const [oldest] = await events.read({ after: "", limit: 1 });
    // Events between the place and the oldest one left are gone.
    const isWhole = kept !== undefined && (oldest === undefined || Number(oldest._id) <= Number(kept) + 1);
    const after = isWhole ? kept : events.lastId();
    if (!isWhole) {
      await this.#lookAtAll();
      await this.#store.moveCursor(after);
    } else await this.#catchUp(after);
    this.#following = this.#follow(after);
    supervisor.run(this.#following, "keep the traits of devices");
  }

  async #lookAtAll(): Promise<void> {
    let after = "";
    for (;;) {
      const page = await this.#deps.devices.list({ limit: devicePage, ...(after === "" ? {} : { after }) });
      for (const { _id } of page) {
        if (this.#abort.signal.aborted) return;
        await this.#look(_id);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < devicePage) return;
      after = last._id;
    }
  }

  /** What happened while nobody followed, before anybody is told who is a member. */
  async #catchUp(from: string): Promise<void> {
    const named = new Set<string>();
    for (let after = from; ; ) {
      const page = await this.#deps.events.read({ after, limit: devicePage, types: followed });
      for (const event of page) if (isOfTraits(event)) named.add(event.subject);
      const last = page.at(-1);
      if (last === undefined) break;
      after = last._id;
    }
    for (const endpoint of named) await this.#look(endpoint);
  }

  async #follow(after: string): Promise<void> {
    const { events, clock } = this.#deps;
    const { signal } = this.#abort;
    for await (const batch of followEvents(events, clock, { after, filter: { types: followed }, signal, idleMs })) {
      // Retention was faster: what became of whom is not known any more.
      if ("before" in batch) {
        await this.#lookAtAll();
        continue;
      }
      for (const event of batch) if (isNewcomer(event)) this.#forgotten.delete(event.subject);
      for (const endpoint of new Set(batch.filter(isOfTraits).map(({ subject }) => subject))) await this.#look(endpoint);
      const last = batch.at(-1);
      if (last === undefined || clock.now() - this.#cursorAt < cursorEveryMs) continue;
      this.#cursorAt = clock.now();
      await this.#store.moveCursor(last._id);
    }
  }

  async #look(endpoint: string): Promise<void> {
    const { registrations, lastText, devices } = this.#deps;
    const [registration, texts, present] = await Promise.all([
      registrations.findLast(endpoint),
      lastText(endpoint, Object.values(traitPaths)),
      this.#store.find(endpoint),
    ]);
    const [manufacturer = null, modelNumber = null, firmwareVersion = null] = texts;
    const learned: LearnedTraits = {
      lwm2mVersion: registration?.lwm2mVersion ?? null,
      binding: registration?.binding ?? null,
      queueMode: registration?.queueMode ?? null,
      lifetimeSeconds: registration?.lifetimeSeconds ?? null,
      ...{ manufacturer, modelNumber, firmwareVersion },
    };
    const names = Object.keys(learned) as (keyof LearnedTraits)[];
    if (present !== undefined && names.every((name) => present[name] === learned[name])) return;
    if (this.#forgotten.has(endpoint) || !(await devices.isKnown(endpoint))) return;
    await this.#store.learn(endpoint, learned);
    this.#onChanged(endpoint);
  }
}

function isNewcomer({ type }: LoggedEvent): boolean {
  return type === "device.created" || type === "device.quarantined";
}

function isOfTraits({ type, data }: LoggedEvent): boolean {
  if (type !== "resource.changed") return true;
  const { values = [] } = data as { readonly values?: readonly { readonly path: string }[] };
  return values.some(({ path }) => watchedPaths.has(path));
}
