/** Holds what is on disk after a kill against the ledger. */

import { collections } from "../collections.ts";
import type { LoggedEvent } from "../events/event.ts";
import { eventsDefinition } from "../events/event-log.ts";
import { type FirmwareUpdate, finalStates } from "../firmware/update.ts";
import { updateCollection } from "../firmware/update-store.ts";
import { finalStatuses, type Operation } from "../operations/operation.ts";
import { operationCollection } from "../operations/operation-store.ts";
import { type RegistrationDocument, registrationCollection } from "../registration/registration-store.ts";
import type { Store } from "../storage/store.ts";
import { allDocuments } from "../store-operations/all-documents.ts";
import { type CrashStore, embeddedCrashStore } from "./crash-store.ts";
import { checkIndexes } from "./index-check.ts";
import type { AcknowledgedPoint, Ledger } from "./ledger.ts";

/** What programs write, each value once. */
export const orderedPath = "/3/0/14";
const pageSize = 1_000;
const endEvents: ReadonlySet<string> = new Set(finalStatuses.map((status) => `operation.${status}`));

/** What is wrong, one line each. The server must not run: this takes its lock. */
export function checkDirectory(directory: string, ledger: Ledger): Promise<readonly string[]> {
  return checkStore(embeddedCrashStore(directory), ledger);
}

export async function checkStore(crashStore: CrashStore, ledger: Ledger): Promise<readonly string[]> {
  const store = await crashStore.open();
  try {
    return [
      ...((await store.verify?.()) ?? []),
      ...(await checkIndexes(store, collections)),
      ...(await checkRegistrations(store, ledger)),
      ...(await checkOperations(store, ledger)),
      ...(await checkFirmware(store, ledger)),
      ...(await checkPoints(store, ledger)),
    ];
  } finally {
    await store.close();
  }
}

async function checkRegistrations(store: Store, ledger: Ledger): Promise<readonly string[]> {
  const registrations = store.collection<RegistrationDocument>(registrationCollection);
  const wrong: string[] = [];
  for (const [endpoint, location] of ledger.locations) {
    if (ledger.registering.has(endpoint)) continue;
    const found = await registrations.findOne({ _id: endpoint });
    if (found === undefined || found.gone !== null) wrong.push(`${endpoint}: its acknowledged registration is missing`);
    else if (`rd/${found.locationId}` !== location)
      wrong.push(`${endpoint}: registered at rd/${found.locationId}, acknowledged ${location}`);
  }
  return wrong;
}

async function checkOperations(store: Store, ledger: Ledger): Promise<readonly string[]> {
  const wrong: string[] = [];
  const ends = await endsByOperation(store);
  const holders = new Map<string, string>();
  const missing = new Set(ledger.operations.keys());
  for await (const operation of allDocuments(store.collection<Operation>(operationCollection))) {
    const { _id: id, status, open, path, value } = operation;
    missing.delete(id);
    const isFinal = finalStatuses.includes(status);
    const told = (ends.get(id) ?? 0) + operation.outbox.filter(({ type }) => endEvents.has(type)).length;
    const acknowledged = ledger.operations.get(id)?.finalStatus;
    if (open === isFinal) wrong.push(`operation ${id}: ${status}, and ${open ? "open" : "closed"}`);
    if (acknowledged !== undefined && acknowledged !== status) wrong.push(`operation ${id}: ${status}, acknowledged ${acknowledged}`);
    // Between the log and the outbox an event may be in both, with one key: once in the log all the same.
    if ((ends.get(id) ?? 0) > 1 || (isFinal && told === 0) || (!isFinal && told > 0))
      wrong.push(`operation ${id}: ${status}, its end told ${told} times`);
    // Firmware steps write the same again, a reset for one.
    if (path !== orderedPath) continue;
    const other = typeof value === "string" ? holders.get(value) : undefined;
    if (other !== undefined) wrong.push(`operations ${other} and ${id} come from one request`);
    if (typeof value === "string") holders.set(value, id);
  }
  return [...wrong, ...[...missing].map((id) => `operation ${id}: acknowledged and missing`)];
}

/** Acknowledged updates are there, in the state they ended in, and a device has one under way at most. */
async function checkFirmware(store: Store, ledger: Ledger): Promise<readonly string[]> {
  const wrong: string[] = [];
  const missing = new Set(ledger.firmware.keys());
  const active = new Map<string, string>();
  for await (const { _id: id, endpoint, state, active: isActive } of allDocuments(store.collection<FirmwareUpdate>(updateCollection))) {
    missing.delete(id);
    const acknowledged = ledger.firmware.get(id)?.finalState;
    if (isActive === finalStates.includes(state)) wrong.push(`firmware update ${id}: ${state}, and ${isActive ? "active" : "over"}`);
    if (acknowledged !== undefined && acknowledged !== state) wrong.push(`firmware update ${id}: ${state}, acknowledged ${acknowledged}`);
    if (!isActive) continue;
    if (active.has(endpoint)) wrong.push(`${endpoint} has two firmware updates under way: ${active.get(endpoint)} and ${id}`);
    active.set(endpoint, id);
  }
  return [...wrong, ...[...missing].map((id) => `firmware update ${id}: acknowledged and missing`)];
}

/** How often the log says that an operation has ended, by its id. */
async function endsByOperation(store: Store): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  for await (const { type, data } of allDocuments(store.collection<LoggedEvent>(eventsDefinition))) {
    if (!endEvents.has(type) || typeof data !== "object" || data === null || !("operationId" in data)) continue;
    const id = String(data["operationId"]);
    ends.set(id, (ends.get(id) ?? 0) + 1);
  }
  return ends;
}

/** A Send names its time, so it is there once; a notification repeated to a new process may be there under two times. */
async function checkPoints(store: Store, { points }: Ledger): Promise<readonly string[]> {
  const wrong: string[] = [];
  const series = new Map<string, AcknowledgedPoint[]>();
  for (const point of points) {
    const name = `${point.endpoint} ${point.path}`;
    series.set(name, [...(series.get(name) ?? []), point]);
  }
  for (const acknowledged of series.values()) {
    const [first] = acknowledged;
    if (first === undefined) continue;
    const found = await history(store, first.endpoint, first.path);
    for (const { timeMs, value } of acknowledged) {
      const times = found.get(value) ?? [];
      if (timeMs === undefined ? times.length > 0 : times.length === 1 && times[0] === timeMs) continue;
      wrong.push(`${first.endpoint} ${first.path}: acknowledged value ${value} is there ${times.length} times`);
    }
  }
  return wrong;
}

/** Times by value. */
async function history(store: Store, endpoint: string, path: string): Promise<ReadonlyMap<unknown, readonly number[]>> {
  const found = new Map<unknown, number[]>();
  for (let fromMs = 0; ; ) {
    const page = await store.telemetry.range({ endpoint, path, fromMs, toMs: Number.MAX_SAFE_INTEGER, limit: pageSize });
    for (const { value, timeMs } of page) found.set(value, [...(found.get(value) ?? []), timeMs]);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return found;
    fromMs = last.timeMs + 0.001;
  }
}
