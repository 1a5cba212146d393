/**
 * Whether devices may report by Send: a Server object without Mute Send, or with it set, keeps them from it (LwM2M Core 1.1 appendix E.2,
 * resource 23), so a server that wants Sends writes false. It is wished for in the desired twin, which writes it when the device wakes. Pure.
 */
import type { Registration } from "../registration/registration.ts";
import type { StoredDocument } from "../storage/collection.ts";
import type { DesiredTwin, Wish } from "../twin/desired.ts";

export type SendWish = "on" | "off";

export interface SendSetting extends StoredDocument {
  /** `device/<endpoint name>` or `group/<id>` */
  readonly _id: string;
  /** Null: of a device. */
  readonly group: string | null;
  readonly send: SendWish;
  /** Of the Server object; null: the only one that the device registers. */
  readonly instance: number | null;
  /** The oldest group decides. */
  readonly createdAt: number;
  /** Of a group: its members were not all looked at since it changed. */
  readonly pending: boolean;
  /** Of a group: to be forgotten when they were. */
  readonly removed: boolean;
  readonly rev: number;
}

/** Who the wishes are from, so that those of people are left alone. */
export const sendActor = "send-setting";

export function settingOfDevice(endpoint: string): string {
  return `device/${endpoint}`;
}

export function settingOfGroup(group: string): string {
  return `group/${group}`;
}

export type Placing =
  | { readonly ok: true; readonly path: string; readonly muted: boolean }
  | { readonly ok: false; readonly why: "unregistered" | "not-in-version" | "no-server-object" | "several-server-objects" };

const serverObject = 1;

/** Which resource of the device it is. With several Server objects the others belong to other servers, and nothing tells which is ours. */
export function placingOf(
  { send, instance }: Pick<SendSetting, "send" | "instance">,
  registration: Pick<Registration, "lwm2mVersion" | "objects"> | undefined,
): Placing {
  if (registration === undefined) return { ok: false, why: "unregistered" };
  // Send came with 1.1 (LwM2M Core 1.1 §6.4.6).
  if (registration.lwm2mVersion === "1.0") return { ok: false, why: "not-in-version" };
  const { instances = [] } = registration.objects.find(({ id }) => id === serverObject) ?? {};
  const [first] = instances;
  if (first === undefined) return { ok: false, why: "no-server-object" };
  if (instance === null && instances.length > 1) return { ok: false, why: "several-server-objects" };
  if (instance !== null && !instances.includes(instance)) return { ok: false, why: "no-server-object" };
  return { ok: true, path: muteSendPath(instance ?? first), muted: send === "off" };
}

function muteSendPath(instance: number): string {
  return `/${serverObject}/${instance}/23`;
}

/** Wishes that a setting made, by path. */
export function ownWishes(desired: Pick<DesiredTwin, "wishes"> | undefined): readonly string[] {
  return Object.entries(desired?.wishes ?? {}).flatMap(([path, { source }]) => (source === sendActor ? [path] : []));
}

/** As a merge patch of what is desired; undefined: nothing is to be changed. `isNew`: it takes the place of what somebody else wished. */
export function patchFor(
  setting: SendSetting | undefined,
  desired: Pick<DesiredTwin, "wishes"> | undefined,
  registration: Parameters<typeof placingOf>[1],
  isNew: boolean,
): { readonly [path: string]: boolean | null } | undefined {
  const placing = setting === undefined ? undefined : placingOf(setting, registration);
  // Where it will be is known when the device is back.
  if (placing?.ok === false && placing.why === "unregistered") return undefined;
  const wanted = placing?.ok === true ? placing : undefined;
  const patch: { [path: string]: boolean | null } = {};
  for (const path of ownWishes(desired)) if (path !== wanted?.path) patch[path] = null;
  if (wanted !== undefined) {
    const present = desired?.wishes[wanted.path];
    const isOurs = present === undefined || present.source === sendActor || isNew;
    if (isOurs && present?.value !== wanted.muted) patch[wanted.path] = wanted.muted;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

export const sendStates = {
  none: "Nobody has said whether it may Send: it does what its own configuration says.",
  unregistered: "The device is not registered: where it is written is known when it registers.",
  "not-in-version": "The device registered with LwM2M 1.0, which has no Send.",
  "no-server-object": "The device registers no such Server object (1).",
  "several-server-objects": "The device registers several Server objects, and nothing tells which is ours: name the instance.",
  "not-taken": "The object model of the device has no Mute Send.",
  pending: "The device has not got it yet: GET …/twin/diff says why.",
  held: "The device has it.",
  refused: "The device refuses it: GET …/twin/diff says why.",
  conflict: "The device keeps setting another value, and is left alone.",
  overruled: "The desired twin of the device wishes otherwise.",
} as const;

export type SendState = keyof typeof sendStates;

export function stateOf(placing: Placing, wish: Wish | undefined): SendState {
  if (!placing.ok) return placing.why;
  if (wish === undefined) return "not-taken";
  return wish.value === placing.muted ? wish.state.kind : "overruled";
}
