/** What events say about a registration. Never its location: who knows that may end the registration over NoSec. */
import { createHash } from "node:crypto";
import type { EventDraft, EventType } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";
import type { Registration } from "./registration.ts";

export function summaryOf(registration: Omit<Registration, "rev" | "outbox" | "hasOutbox">): { readonly [field: string]: Json } {
  const { lwm2mVersion, lifetimeSeconds, binding, queueMode, address } = registration;
  return { lwm2mVersion, lifetimeSeconds, binding, queueMode, address: { address: address.address, port: address.port } };
}

/** One key per registration and step. */
export function registrationDraft(
  type: EventType,
  { _id, locationId }: Pick<Registration, "_id" | "locationId">,
  step: string,
  { data, timeMs }: { readonly data: Json; readonly timeMs: number },
): EventDraft {
  const incarnation = createHash("sha256").update(locationId).digest("base64url").slice(0, 22);
  return { key: `registration/${incarnation}/${step}`, type, subject: _id, timeMs, data };
}

export function presenceDraft(endpoint: string, awake: boolean, timeMs: number): EventDraft {
  const type = awake ? "device.awake" : "device.asleep";
  return { key: `presence/${endpoint}/${timeMs}/${type}`, type, subject: endpoint, timeMs, data: {} };
}
