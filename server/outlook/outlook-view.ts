/** Outlooks as replies show them. */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { JsonSchema } from "../http/route.ts";
import type { Json } from "../storage/collection.ts";
import type { Waiting } from "./device-outlook.ts";
import { type Signal, signalKinds } from "./signal-log.ts";
import { nextTexts, waitingTexts } from "./waiting-codes.ts";

const instant: JsonSchema = { type: "string", format: "date-time" };

export const outlookProperties: { readonly [name: string]: JsonSchema } = {
  waitingFor: {
    type: "object",
    required: ["code", "text"],
    description: "what has to happen before the server goes on",
    properties: { code: { enum: Object.keys(waitingTexts) }, text: { type: "string" } },
  },
  since: { ...instant, description: "since when it waits for that" },
  lastSignal: {
    type: ["object", "null"],
    required: ["kind", "at"],
    description: "what was heard of the device last; `message`: before the server started",
    properties: { kind: { enum: [...signalKinds] }, at: instant },
  },
  next: {
    type: "object",
    required: ["what", "at"],
    description: Object.entries(nextTexts)
      .map(([code, text]) => `${code}: ${text}`)
      .join("; "),
    properties: {
      what: { enum: Object.keys(nextTexts) },
      at: { type: ["string", "null"], format: "date-time", description: "null: at any moment, or nobody knows" },
    },
  },
};

export function outlookView({ code, since, next }: Waiting, lastSignal: Signal | undefined): { readonly [field: string]: Json } {
  return {
    waitingFor: { code, text: waitingTexts[code] },
    since: formatInstant(since),
    lastSignal: lastSignal === undefined ? null : { kind: lastSignal.kind, at: formatInstant(lastSignal.at) },
    next: { what: next.what, at: next.at === null ? null : formatInstant(next.at) },
  };
}
