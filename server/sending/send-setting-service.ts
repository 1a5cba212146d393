/**
 * Brings the desired twin of each device to what its setting, or else that of the oldest of its groups, says of Mute Send: when the setting
 * changes, when the device joins or leaves a group, and when it registers, which is also what makes good whatever a crash left undone.
 */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Devices } from "../devices/device.ts";
import type { Groups, MembershipNews } from "../groups/group-service.ts";
import type { Registrations } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import type { DesiredService } from "../twin/desired-service.ts";
import {
  type Placing,
  patchFor,
  placingOf,
  type SendSetting,
  type SendState,
  sendActor,
  settingOfDevice,
  settingOfGroup,
  stateOf,
} from "./send-setting.ts";
import { maxGroups, SendSettingStore } from "./send-setting-store.ts";

export interface SendSettingDeps {
  readonly store: Store;
  readonly devices: Pick<Devices, "isKnown">;
  readonly groups: Groups;
  readonly registrations: Registrations;
  readonly desired: DesiredService;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  readonly supervisor: Supervisor;
  readonly owner: Pick<ProcessOwner, "isShared">;
}

export type NewSendSetting = Pick<SendSetting, "send" | "instance">;

/** What holds for a device. */
export interface DeviceSending {
  readonly setting: SendSetting | undefined;
  readonly placing: Placing | undefined;
  readonly state: SendState;
}

const traceIdBytes = 16;

export async function openSendSettingService(deps: SendSettingDeps): Promise<SendSettingService> {
  const service = new SendSettingService(deps);
  await service.load();
  return service;
}

export class SendSettingService {
  readonly #deps: SendSettingDeps;
  readonly #store: SendSettingStore;
  /** One thing after the other: a later one sees what an earlier one wrote. */
  #working: Promise<void> = Promise.resolve();
  /** False: nobody has set anything, so no registration costs a look. */
  #isUsed = false;
  #closed = false;

  constructor(deps: SendSettingDeps) {
    this.#deps = deps;
    this.#store = new SendSettingStore(deps.store);
  }

  async load(): Promise<void> {
    const { groups, registrations, owner } = this.#deps;
    this.#isUsed = owner.isShared || (await this.#store.hasAny());
    groups.protect(async (group) => {
      const setting = await this.#store.find(settingOfGroup(group));
      return setting === undefined || setting.removed ? undefined : "its Send setting";
    });
    groups.onChanged((news) => this.#noteMembership(news));
    registrations.onSignOfLife((endpoint, kind) => {
      if (kind === "registered" && this.#isUsed) this.#later(() => this.#place(endpoint));
    });
    for (const { group, pending } of await this.#store.ofGroups()) if (pending && group !== null) this.#later(() => this.#placeAll(group));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
  }

  async ofDevice(endpoint: string): Promise<DeviceSending> {
    const { registrations, desired } = this.#deps;
    const setting = await this.#settingOf(endpoint);
    if (setting === undefined) return { setting, placing: undefined, state: "none" };
    const placing = placingOf(setting, await registrations.find(endpoint));
    const wish = placing.ok ? (await desired.find(endpoint))?.wishes[placing.path] : undefined;
    return { setting, placing, state: stateOf(placing, wish) };
  }

  async ofGroup(group: string): Promise<SendSetting | undefined> {
    const setting = await this.#store.find(settingOfGroup(group));
    return setting?.removed === true ? undefined : setting;
  }

  /** Durable when it resolves, and wished for if the device is registered. The caller has made sure that the device is known. */
  async setDevice(endpoint: string, { send, instance }: NewSendSetting): Promise<void> {
    this.#isUsed = true;
    await this.#store.put(settingOfDevice(endpoint), { group: null, send, instance, pending: false }, this.#deps.clock.now());
    await this.#inTurn(() => this.#place(endpoint, true));
  }

  /** False: it had none of its own. What the device has stays, unless a group says otherwise. */
  async clearDevice(endpoint: string): Promise<boolean> {
    const had = await this.#store.remove(settingOfDevice(endpoint));
    await this.#inTurn(() => this.#place(endpoint));
    return had;
  }

  /** False: so many groups have one already. Its members follow. */
  async setGroup(group: string, { send, instance }: NewSendSetting): Promise<boolean> {
    const id = settingOfGroup(group);
    const others = await this.#store.ofGroups();
    if (others.length >= maxGroups && !others.some(({ _id }) => _id === id)) return false;
    this.#isUsed = true;
    await this.#store.put(id, { group, send, instance, pending: true }, this.#deps.clock.now());
    this.#later(() => this.#placeAll(group));
    return true;
  }

  async clearGroup(group: string): Promise<boolean> {
    const had = await this.#store.markRemoved(settingOfGroup(group));
    if (had) this.#later(() => this.#placeAll(group));
    return had;
  }

  /** The device was deleted. */
  async forget(endpoint: string): Promise<void> {
    await this.#store.remove(settingOfDevice(endpoint));
  }

  #noteMembership({ group, endpoint }: MembershipNews): void {
    if (!this.#isUsed) return;
    this.#later(async () => {
      if (endpoint !== undefined) return this.#place(endpoint);
      for (const setting of await this.#store.ofGroups()) if (setting.group === group) await this.#placeAll(setting.group ?? "");
    });
  }

  /** Members that left, by a query that is another now, are found at their next registration. */
  async #placeAll(group: string): Promise<void> {
    const setting = await this.#store.find(settingOfGroup(group));
    if (setting === undefined) return;
    const found = await this.#deps.groups.find(group);
    if (found !== undefined) {
      for await (const page of this.#deps.groups.members(found)) {
        for (const member of page) {
          if (this.#closed) return;
          await this.#place(member);
        }
      }
    }
    await this.#store.settle(setting);
  }

  async #place(endpoint: string, isNew = false): Promise<void> {
    const { desired, devices, random, registrations } = this.#deps;
    if (!(await devices.isKnown(endpoint))) return;
    const setting = await this.#settingOf(endpoint);
    const [registration, present] = await Promise.all([registrations.find(endpoint), desired.find(endpoint)]);
    const values = patchFor(setting, present, registration, isNew);
    if (values === undefined) return;
    const traceId = Buffer.from(random.bytes(traceIdBytes)).toString("hex");
    // A model without the resource refuses it; that is shown as `not-taken`.
    await desired.change(endpoint, { mode: "merge", values }, { actor: sendActor, traceId });
  }

  async #settingOf(endpoint: string): Promise<SendSetting | undefined> {
    const own = await this.#store.find(settingOfDevice(endpoint));
    if (own !== undefined) return own;
    const settings = (await this.#store.ofGroups()).filter(({ removed }) => !removed);
    const among = await this.#deps.groups.among(
      settings.flatMap(({ group }) => group ?? []),
      endpoint,
    );
    return settings.find(({ group }) => group !== null && among.has(group));
  }

  #later(work: () => Promise<void>): void {
    this.#deps.supervisor.run(this.#inTurn(work), "say which devices may Send");
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#working.then(async () => {
      if (!this.#closed) await work();
    });
    this.#working = next.catch(() => {});
    return next;
  }
}
