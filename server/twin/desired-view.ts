/** The desired twin and its difference as REST shows them, and the schemas of both. Pure. */
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema } from "../http/route.ts";
import type { Operation } from "../operations/operation.ts";
import type { DeviceOutlook } from "../outlook/device-outlook.ts";
import type { DeviceModel } from "../registration/device-model.ts";
import { type ConflictPolicy, conflictPolicies, type DesiredTwin, desiredLimits, type Reported, type Wish } from "./desired.ts";
import { comparePaths, instant, type JsonFields, knownValueSchema } from "./known-values.ts";

const policyText =
  "who is right when a device that had the desired value reports another: server (it is written again), device (the wish follows), newest (whichever is newer: the source time of the report against the time of the wish)";

export const editSchema: JsonSchema = {
  type: "object",
  properties: {
    policy: { enum: [...conflictPolicies, null], description: `${policyText}; null: as the settings say` },
    values: { type: "object", maxProperties: desiredLimits.maxWishes, description: "by path or name, /3/0/15 or device/0/timezone" },
  },
  additionalProperties: false,
};

export const desiredSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "version", "policy", "policyFrom", "values"],
  properties: {
    endpoint: { type: "string" },
    version: { type: "integer", description: "rises with every change; 0: nothing was ever desired" },
    policy: { enum: [...conflictPolicies], description: policyText },
    policyFrom: { enum: ["device", "settings"] },
    values: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "changedAt", "source"],
        properties: {
          path: { type: "string" },
          name: { type: "string" },
          type: { type: "string" },
          value: { description: "of a multi-instance resource an object of its instances" },
          isSet: { const: true, description: "in place of a value that nobody can read" },
          changedAt: instant,
          source: { type: "string", description: "the name of the API key; device: the wish followed a report" },
        },
      },
    },
  },
};

export const reportedSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "version", "values"],
  properties: {
    endpoint: { type: "string" },
    version: { type: "integer", description: "rises with every change; 0: nothing is known" },
    values: { type: "array", items: knownValueSchema },
  },
};

const reasons = {
  "waiting-for-registration": "The device is not registered: it is written when it registers.",
  "waiting-for-claim": "The device is in quarantine: it is written when somebody has claimed it.",
  "waiting-for-credential": "The credential of the device is no longer valid: it is written when the device comes back with one that is.",
  "waiting-for-other-process": "The device is at home at another process of this store: it is written when it comes to this one.",
  "waiting-for-address": "Another device has registered from its address: it is written when it says where it is now.",
  "waiting-for-connection": "The secured connection of the device is gone: it is written when the device comes back.",
  "waiting-for-wake-up": "The device sleeps: it is written when it wakes up.",
  "waiting-for-patience": "The device has asked to be left alone for a while: it is written after that, when the device listens.",
  "waiting-for-next-wake-up": "Too little is left of this wake-up: it is written in a later one.",
  "waiting-for-turn": "The device is awake: the write has its turn soon.",
  "under-way": "The write is on its way to the device.",
  "retry-later": "The device did not take it, which may pass: it is tried again.",
  refused:
    "The device will not take it: it is tried again when it registers anew, when its instances change, or when the value is desired anew.",
  conflict: "The device keeps setting another value: it is left alone until the value is desired anew.",
} as const;

type Reason = keyof typeof reasons;

export const diffSchema: JsonSchema = {
  type: "object",
  required: ["endpoint", "desiredVersion", "reportedVersion", "policy", "items"],
  properties: {
    endpoint: { type: "string" },
    desiredVersion: { type: "integer" },
    reportedVersion: { type: "integer" },
    policy: { enum: [...conflictPolicies] },
    items: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "since", "why"],
        properties: {
          path: { type: "string" },
          name: { type: "string" },
          desired: {},
          isSet: { const: true, description: "in place of a value that nobody can read" },
          reported: { description: "absent: nothing is known" },
          reportedAt: { ...instant, description: "when the device took it" },
          desiredAt: instant,
          source: { type: "string" },
          since: { ...instant, description: "since when they differ" },
          why: {
            type: "object",
            required: ["code", "text"],
            properties: { code: { enum: Object.keys(reasons) }, text: { type: "string" } },
          },
          reason: { type: "string", description: "of a refusal: the reason of the operation" },
          coapCode: { type: "string", description: "of a refusal: the answer of the device" },
          detail: { type: "string" },
          nextTryAt: instant,
          nextExpectedContact: instant,
          operation: { type: "string", description: "the id of the write" },
        },
      },
    },
  },
};

export function desiredView(endpoint: string, desired: DesiredTwin | undefined, policy: ConflictPolicy, model: DeviceModel): JsonFields {
  const wishes = Object.entries(desired?.wishes ?? {}).toSorted(([a], [b]) => comparePaths(a, b));
  const values = wishes.map(([path, wish]): JsonFields => {
    const { type, changedAt, source } = wish;
    const named = { path, ...optional("name", model.nameOf(parsePath(path))), ...optional("type", type) };
    return { ...named, ...valueFields(wish, "value"), changedAt: formatInstant(changedAt), source };
  });
  const policyFrom = (desired?.policy ?? null) === null ? "settings" : "device";
  return { endpoint, version: desired?.version ?? 0, policy, policyFrom, values };
}

export interface DiffPlace {
  readonly path: string;
  readonly name: string | undefined;
  readonly reported: Reported | undefined;
  /** The write that is to make it so. */
  readonly operation: Operation | undefined;
  readonly outlook: DeviceOutlook;
}

export function diffItem(wish: Wish, { path, name, reported, operation, outlook }: DiffPlace): JsonFields {
  const code = reasonOf(wish, operation, outlook);
  const { state } = wish;
  const refusal =
    state.kind === "refused"
      ? { ...optional("reason", state.reason), ...optional("coapCode", state.coapCode), ...optional("detail", state.detail) }
      : {};
  const nextTryAt = state.kind === "refused" && state.retryAt !== null ? formatInstant(state.retryAt) : undefined;
  const { nextExpectedContact } = outlook;
  return {
    path,
    ...optional("name", name),
    ...valueFields(wish, "desired"),
    ...(reported === undefined ? {} : { reported: reported.value, reportedAt: formatInstant(reported.observedAt) }),
    desiredAt: formatInstant(wish.changedAt),
    source: wish.source,
    since: formatInstant(state.since),
    why: { code, text: reasons[code] },
    ...refusal,
    ...optional("nextTryAt", nextTryAt),
    ...(nextExpectedContact === undefined ? {} : { nextExpectedContact: formatInstant(nextExpectedContact) }),
    ...optional("operation", operation?._id),
  };
}

function reasonOf({ state }: Wish, operation: Operation | undefined, { waitingFor }: DeviceOutlook): Reason {
  if (state.kind === "conflict") return "conflict";
  if (state.kind === "refused") return state.retryAt === null ? "refused" : "retry-later";
  if (operation?.status === "leased" || operation?.status === "sent") return "under-way";
  return `waiting-for-${waitingFor}`;
}

function valueFields({ secret, value }: Wish, as: "value" | "desired"): JsonFields {
  return secret ? { isSet: true } : { [as]: value };
}

function optional(name: string, value: string | null | undefined): JsonFields {
  return value === undefined || value === null ? {} : { [name]: value };
}
