/** What events say about a registration. Never its location: who knows that may end the registration over NoSec. */
import { createHash } from "node:crypto";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventDraft, EventLog, EventType } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";
import type { Supervisor } from "../supervisor.ts";
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

export interface PresenceTellerDeps {
  readonly events: Pick<EventLog, "append">;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
}

/** Presence has no document of its own: the event goes to the log directly. */
export function presenceTeller({ events, clock, supervisor }: PresenceTellerDeps): (endpoint: string, awake: boolean) => void {
  return (endpoint, awake) => {
    const type = awake ? "device.awake" : "device.asleep";
    const timeMs = clock.now();
    const draft = { key: `presence/${endpoint}/${timeMs}/${type}`, type, subject: endpoint, timeMs, data: {} } as const;
    supervisor.run(events.append([draft]), `log that ${endpoint} is ${awake ? "awake" : "asleep"}`);
  };
}
