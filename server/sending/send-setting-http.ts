/** Whether devices may Send, over REST: of a device, or of every member of a group. */
import type { Devices } from "../devices/device.ts";
import { unknownDevice } from "../devices/device-http.ts";
import type { Groups } from "../groups/group-service.ts";
import type { JsonSchema, Reply, Route, RouteRequest } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import { type SendSetting, sendStates } from "./send-setting.ts";
import type { NewSendSetting, SendSettingService } from "./send-setting-service.ts";
import { maxGroups } from "./send-setting-store.ts";

export interface SendSettingDoor {
  readonly sending: SendSettingService;
  readonly devices: Devices;
  readonly groups: Groups;
}

const send: JsonSchema = { enum: ["on", "off"], description: "on: Mute Send (/1/x/23) is false; off: it is true" };
const instance: JsonSchema = {
  type: "integer",
  minimum: 0,
  maximum: 65_534,
  description: "of the Server object; without it the only one that the device registers",
};
const body: JsonSchema = { type: "object", required: ["send"], additionalProperties: false, properties: { send, instance } };

const deviceSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "send", "from", "path", "state", "text"],
  properties: {
    endpoint: { type: "string" },
    send: { ...send, enum: ["on", "off", null] },
    from: { enum: ["device", "group", null], description: "whose setting holds: a device's own, else that of the oldest of its groups" },
    group: { type: "string" },
    path: { type: ["string", "null"], description: "the resource that says so on the device" },
    state: { enum: Object.keys(sendStates) },
    text: { type: "string" },
  },
};

const groupSchema: JsonSchema = {
  type: "object",
  required: ["group", "send"],
  properties: { group: { type: "string" }, send: { ...send, enum: ["on", "off", null] }, instance },
};

export function sendSettingRoutes(own: SendSettingDoor): Route[] {
  return [...deviceRoutes(own), ...groupRoutes(own)];
}

function deviceRoutes({ sending, devices }: SendSettingDoor): Route[] {
  const of = async ({ params }: RouteRequest, change?: (endpoint: string) => Promise<unknown>): Promise<Reply> => {
    const endpoint = params["endpoint"] ?? "";
    if (!(await devices.isKnown(endpoint))) return unknownDevice(endpoint);
    await change?.(endpoint);
    return { status: 200, body: await viewOfDevice(sending, endpoint) };
  };
  const replies = { 200: { description: "What holds for the device, and whether it has it", schema: deviceSchema } };
  const path = "/devices/{endpoint}/send";
  return [
    {
      method: "GET",
      path,
      name: "getSending",
      summary: "Whether the device may Send (LwM2M 1.1)",
      replies,
      handle: (request) => of(request),
    },
    {
      method: "PUT",
      path,
      name: "setSending",
      summary:
        "Lets the device Send, or not: Mute Send is written when it wakes, through its desired twin. A Send that comes all the same is taken",
      body,
      replies,
      handle: (request) => of(request, (endpoint) => sending.setDevice(endpoint, settingIn(request))),
    },
    {
      method: "DELETE",
      path,
      name: "clearSending",
      summary: "No setting of its own: that of a group holds, if it is in one that has any; else the device keeps what it has",
      replies,
      handle: (request) => of(request, (endpoint) => sending.clearDevice(endpoint)),
    },
  ];
}

function groupRoutes({ sending, groups }: SendSettingDoor): Route[] {
  const path = "/groups/{id}/send";
  const replies = { 200: { description: "The setting of the group", schema: groupSchema } };
  const of = async ({ params }: RouteRequest, change?: (id: string) => Promise<boolean>): Promise<Reply> => {
    const id = params["id"] ?? "";
    if ((await groups.find(id)) === undefined)
      return { problem: { type: "not-found", detail: `no group has the id ${JSON.stringify(id)}` } };
    if ((await change?.(id)) === false)
      return { problem: { type: "conflict", detail: `${maxGroups} groups have a Send setting, the most allowed` } };
    return { status: 200, body: viewOfGroup(id, await sending.ofGroup(id)) };
  };
  return [
    {
      method: "GET",
      path,
      name: "getGroupSending",
      summary: "Whether the members of the group may Send",
      replies,
      handle: (request) => of(request),
    },
    {
      method: "PUT",
      path,
      name: "setGroupSending",
      summary:
        "Lets every member, present and future, Send or not, unless it has a setting of its own or is in an older group that has one",
      body,
      replies,
      handle: (request) => of(request, (id) => sending.setGroup(id, settingIn(request))),
    },
    {
      method: "DELETE",
      path,
      name: "clearGroupSending",
      summary: "The group says nothing of it any more; its devices keep what they have",
      replies,
      handle: (request) =>
        of(request, async (id) => {
          await sending.clearGroup(id);
          return true;
        }),
    },
  ];
}

/** The schema has checked the body. */
function settingIn({ body: given }: RouteRequest): NewSendSetting {
  const { send: wanted, instance: named = null } = given as unknown as { readonly send: SendSetting["send"]; readonly instance?: number };
  return { send: wanted, instance: named };
}

async function viewOfDevice(sending: SendSettingService, endpoint: string): Promise<Json> {
  const { setting, placing, state } = await sending.ofDevice(endpoint);
  return {
    endpoint,
    send: setting?.send ?? null,
    from: setting === undefined ? null : setting.group === null ? "device" : "group",
    ...(setting === undefined || setting.group === null ? {} : { group: setting.group }),
    path: placing?.ok === true ? placing.path : null,
    state,
    text: sendStates[state],
  };
}

function viewOfGroup(group: string, setting: SendSetting | undefined): Json {
  const named = setting?.instance ?? null;
  return { group, send: setting?.send ?? null, ...(named === null ? {} : { instance: named }) };
}
