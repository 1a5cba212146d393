/** The plan of a wake-up as REST shows it, before it happens. Pure. */
import { Method } from "@lwm2m/protocol/coap/codes";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema } from "../http/route.ts";
import type { MergedForm } from "../planning/waiting.ts";
import type { PlannedExchange, Postponement } from "../planning/wake-up-plan.ts";
import type { JsonObject } from "../storage/json-object.ts";
import type { Operation } from "./operation.ts";
import { isInFlight } from "./operation-machine.ts";
import type { PreparedWakeUp } from "./wake-up-planner.ts";

/** What waits for a device, and what its next wake-up does with it. */
export interface DeviceQueue {
  readonly operations: readonly Operation[];
  /** How many more are open, which this plan does not look at. */
  readonly behind: number;
  /** Undefined of a device that never registered: nobody knows what it can. */
  readonly wakeUp: PreparedWakeUp | undefined;
}

const postponedWords: { readonly [code in Postponement]: string } = {
  window: "It takes longer than the device listens: it goes first in a wake-up.",
  budget: "The bytes of this wake-up are spent.",
  behind: "It has to come after an exchange that waits.",
};

const integer: JsonSchema = { type: "integer" };
const costs: { readonly [name: string]: JsonSchema } = {
  bytesDown: { ...integer, description: "estimated, to the device, CoAP" },
  bytesUp: { ...integer, description: "estimated, from the device, CoAP" },
  milliseconds: { ...integer, description: "estimated: round trips of the device as measured, or the ACK_TIMEOUT of its link" },
};
const ids: JsonSchema = { type: "array", items: { type: "string" } };

/** Beside `items`, which are operations, and the outlook of the device. */
export const wakeUpSchemas: { readonly [name: string]: JsonSchema } = {
  exchanges: {
    type: "array",
    description: "in the order in which they will be made",
    items: {
      type: "object",
      required: ["request", "paths", "operations", "roundTrips", "bytesDown", "bytesUp", "milliseconds", "postponed"],
      properties: {
        request: {
          type: "string",
          description: "FETCH / of several reads, GET /3/0, POST /1/0 of several writes of an instance, iPATCH / of others",
        },
        paths: { ...ids, description: "what it is about" },
        operations: { ...ids, description: "ids, in their order" },
        roundTrips: { ...integer, description: "more than one: the body goes in blocks" },
        ...costs,
        postponed: {
          type: ["object", "null"],
          description: "why it does not fit into the wake-up and waits for a later one: window, budget, behind",
          properties: { code: { enum: Object.keys(postponedWords) }, text: { type: "string" } },
        },
      },
    },
  },
  total: {
    type: "object",
    description: "of the exchanges that fit",
    required: ["exchanges", "operations", "bytesDown", "bytesUp", "milliseconds"],
    properties: { exchanges: integer, operations: integer, ...costs },
  },
  underWay: { ...ids, description: "operations that are in the air now" },
  notYet: {
    type: "array",
    description: "operations that may not be sent before a time",
    items: { type: "object", properties: { operation: { type: "string" }, notBefore: { type: "string", format: "date-time" } } },
  },
  superseded: {
    type: "array",
    description: "operations that will be cancelled, and for which",
    items: { type: "object", properties: { operation: { type: "string" }, by: { type: "string" } } },
  },
  behind: {
    ...integer,
    description:
      "open operations that this plan does not look at yet: it looks at the oldest 1,000, and at what is more urgent than one of those among the oldest 5,000",
  },
  unfit: {
    type: "array",
    description: "operations that will fail: what the device has registered does not allow them",
    items: { type: "object", properties: { operation: { type: "string" }, detail: { type: "string" } } },
  },
};

/** Those in the air, those of the plan, those that may not be sent yet. */
export function inPlannedOrder({ operations, wakeUp }: DeviceQueue): readonly Operation[] {
  const planned = (wakeUp?.exchanges ?? []).flatMap(({ members }) => members.map(({ id }) => id));
  const places = new Map(planned.map((id, place) => [id, place]));
  const placeOf = (operation: Operation): number => (isInFlight(operation) ? -1 : (places.get(operation._id) ?? planned.length));
  return [...operations].sort((a, b) => placeOf(a) - placeOf(b) || (a._id < b._id ? -1 : 1));
}

export function wakeUpView({ operations, behind, wakeUp }: DeviceQueue, nowMs: number): JsonObject {
  const exchanges = wakeUp?.exchanges ?? [];
  const fitting = exchanges.filter(({ postponed }) => postponed === null);
  const sum = (of: (exchange: PlannedExchange) => number): number => fitting.reduce((total, exchange) => total + of(exchange), 0);
  return {
    exchanges: wakeUp === undefined ? [] : exchanges.map((exchange) => exchangeView(exchange, wakeUp)),
    total: {
      exchanges: fitting.length,
      operations: sum(({ members }) => members.length),
      bytesDown: sum(({ cost }) => cost.bytesDown),
      bytesUp: sum(({ cost }) => cost.bytesUp),
      milliseconds: Math.round(sum(({ cost }) => cost.durationMs)),
    },
    behind,
    underWay: operations.filter(isInFlight).map(({ _id }) => _id),
    notYet: operations.flatMap(({ _id, notBefore }) =>
      notBefore !== undefined && notBefore > nowMs ? [{ operation: _id, notBefore: formatInstant(notBefore) }] : [],
    ),
    superseded: (wakeUp?.superseded ?? []).map(({ operation, by }) => ({ operation: operation._id, by })),
    unfit: (wakeUp?.unfit ?? []).map(({ operation, refusal }) => ({ operation: operation._id, detail: refusal.detail })),
  };
}

function exchangeView({ form, members, paths, cost, postponed }: PlannedExchange, wakeUp: PreparedWakeUp): JsonObject {
  const [first] = members;
  const single = first === undefined ? undefined : wakeUp.members.get(first.id)?.plan;
  if (single === undefined) throw new Error("an exchange carries at least one operation");
  const [path] = paths;
  return {
    request: form === "single" || path === undefined ? requestLine(single.request) : mergedLine[form](formatPath(path)),
    paths: (form === "single" ? single.paths : paths).map((one) => (one === "/" ? one : formatPath(one))),
    operations: members.map(({ id }) => id),
    roundTrips: cost.roundTrips,
    bytesDown: cost.bytesDown,
    bytesUp: cost.bytesUp,
    milliseconds: Math.round(cost.durationMs),
    postponed: postponed === null ? null : { code: postponed, text: postponedWords[postponed] },
  };
}

const mergedLine: { readonly [form in MergedForm]: (path: string) => string } = {
  read: (path) => `GET ${path}`,
  readComposite: () => "FETCH /",
  writeInstance: (path) => `POST ${path}`,
  writeComposite: () => "iPATCH /",
};

const methodNames = new Map(
  Object.entries(Method).map(([name, code]) => [code as number, name === "ipatch" ? "iPATCH" : name.toUpperCase()]),
);

function requestLine({ method, path, query = [] }: OutgoingRequest): string {
  return `${methodNames.get(method)} /${path.join("/")}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}
