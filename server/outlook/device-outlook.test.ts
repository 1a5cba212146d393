import assert from "node:assert/strict";
import { test } from "node:test";
import { type DeviceFacts, type DeviceWork, outlookOf } from "./device-outlook.ts";
import { operationOutlook } from "./operation-outlook.ts";
import type { SignalKind } from "./signal-log.ts";
import { SignalLog, signalKinds } from "./signal-log.ts";

const nowMs = 100_000;
const registration = { registeredAt: 10_000, expiresAt: 900_000, barredAt: null, goneAt: null, nextContactAt: 300_000 };
const noWork: DeviceWork = { dueSince: undefined, notBefore: undefined, observation: false, update: undefined };

/** Awake, registered, nothing to do. */
function facts(more: Partial<DeviceFacts> = {}, work: Partial<DeviceWork> = {}): DeviceFacts {
  return {
    ...{ createdAt: 1_000, quarantined: false, registration, signal: { kind: "update", at: 50_000 }, awake: true },
    ...{ ownsAddress: true, elsewhere: false, connected: true, windowMs: 20_000, awakeUntil: undefined },
    ...{ inTheAirSince: undefined, giveUpMs: 93_000, movedAt: undefined, patienceUntil: undefined, heldBack: false },
    ...{ work: { ...noWork, ...work } },
    ...more,
  };
}

const due = { dueSince: 60_000 };
const later = { notBefore: { since: 40_000, at: 200_000 } };
const asleep = { awake: false };
const contact = { what: "contact", at: 300_000 } as const;
const expiry = { what: "registration-expiry", at: 900_000 } as const;

const table: readonly (readonly [string, DeviceFacts, string, number, { readonly what: string; readonly at: number | null }])[] = [
  ["in quarantine", facts({ quarantined: true }, due), "claim", 1_000, { what: "claim", at: null }],
  ["never registered", facts({ registration: undefined, ...asleep }), "registration", 1_000, { what: "registration", at: null }],
  [
    ...(["de-registered", facts({ registration: { ...registration, goneAt: 70_000 }, ...asleep })] as const),
    ...(["registration", 70_000, { what: "registration", at: null }] as const),
  ],
  ["barred", facts({ registration: { ...registration, barredAt: 80_000 }, connected: false, ...asleep }), "credential", 80_000, contact],
  ["barred, and back", facts({ registration: { ...registration, barredAt: 80_000 } }), "nothing", 50_000, contact],
  ["not connected", facts({ connected: false, ...asleep }), "connection", 50_000, contact],
  ["at another process", facts({ ownsAddress: false, elsewhere: true, ...asleep }), "other-process", 50_000, contact],
  ["its address is another's", facts({ ownsAddress: false, ...asleep }), "address", 50_000, contact],
  ["asleep, an operation waits", facts(asleep, due), "wake-up", 70_000, contact],
  ["asleep before its window ended", facts({ ...asleep, windowMs: 93_000 }, due), "wake-up", 50_000, contact],
  [
    ...(["asleep and overdue", facts({ ...asleep, registration: { ...registration, nextContactAt: 900_000 } }, due)] as const),
    ...(["wake-up", 70_000, expiry] as const),
  ],
  ["asleep, nothing waits", facts(asleep), "nothing", 50_000, contact],
  ["asleep, an observation waits", facts(asleep, { observation: true }), "wake-up", 70_000, contact],
  ["a request is in the air", facts({ inTheAirSince: 90_000 }, due), "answer", 90_000, { what: "give-up", at: 183_000 }],
  [
    ...(["a body in blocks moves", facts({ inTheAirSince: 20_000, movedAt: 99_000 }, due)] as const),
    ...(["answer", 20_000, { what: "give-up", at: 192_000 }] as const),
  ],
  [
    ...(["it asked to be left alone", facts({ patienceUntil: 130_000 }, due)] as const),
    ...(["patience", 50_000, { what: "send", at: 130_000 }] as const),
  ],
  ["… longer than it listens", facts({ patienceUntil: 130_000, awakeUntil: 120_000 }, due), "patience", 50_000, contact],
  ["… and nothing is to be sent", facts({ patienceUntil: 130_000 }), "nothing", 50_000, contact],
  ["its wake-up is used up", facts({ heldBack: true, awakeUntil: 120_000 }, due), "next-wake-up", 50_000, contact],
  ["its wake-up is used up, and it is asleep", facts({ heldBack: true, ...asleep }, due), "wake-up", 70_000, contact],
  ["awake, an operation waits", facts({}, due), "turn", 60_000, { what: "send", at: null }],
  ["awake, an observation waits", facts({}, { observation: true }), "observation", 10_000, { what: "send", at: null }],
  [
    ...(["an update goes on", facts({}, { update: { since: 20_000, nextAt: 400_000 } })] as const),
    ...(["update", 20_000, { what: "update-step", at: 400_000 }] as const),
  ],
  ["what waits has its time", facts({}, later), "not-before", 40_000, { what: "send", at: 200_000 }],
  ["nothing waits", facts(), "nothing", 50_000, contact],
  ["nothing waits, its window is open", facts({ awakeUntil: 120_000 }), "nothing", 50_000, { what: "sleep", at: 120_000 }],
  [
    ...(["a lifetime without end", facts({ registration: { ...registration, expiresAt: null, nextContactAt: undefined } })] as const),
    ...(["nothing", 50_000, { what: "contact", at: null }] as const),
  ],
];

for (const [title, given, code, since, next] of table) {
  test(`a device, ${title}: ${code}`, () => {
    const outlook = outlookOf(given, nowMs);
    assert.deepEqual({ code: outlook.code, since: outlook.since, next: outlook.next }, { code, since, next });
  });
}

const queued = { status: "queued", queuedAt: 60_000, sentAt: null, expiresAt: 500_000 };

for (const [title, operation, given, expected] of [
  ["awake", queued, facts({}, due), { code: "turn", since: 60_000, next: { what: "send", at: null } }],
  ["asleep since", queued, facts(asleep, due), { code: "wake-up", since: 70_000, next: contact }],
  [
    ...(["it expires before the device is expected", { ...queued, expiresAt: 200_000 }, facts(asleep, due)] as const),
    { code: "wake-up", since: 70_000, next: { what: "operation-expiry", at: 200_000 } },
  ],
  [
    ...(["nobody knows when the device comes", queued, facts({ registration: undefined, ...asleep })] as const),
    { code: "registration", since: 60_000, next: { what: "operation-expiry", at: 500_000 } },
  ],
  [
    ...(["not yet, whatever the device does", { ...queued, notBefore: 200_000 }, facts(asleep)] as const),
    { code: "not-before", since: 60_000, next: { what: "send", at: 200_000 } },
  ],
  [
    ...(["sent", { ...queued, status: "sent", sentAt: 95_000 }, facts()] as const),
    { code: "answer", since: 95_000, next: { what: "give-up", at: 188_000 } },
  ],
  ["its wake-up is used up", queued, facts({ heldBack: true }, due), { code: "next-wake-up", since: 60_000, next: contact }],
  [
    ...(["in the air, in blocks", { ...queued, status: "leased" }, facts({ inTheAirSince: 20_000, movedAt: 99_000 })] as const),
    { code: "answer", since: 20_000, next: { what: "give-up", at: 192_000 } },
  ],
  [
    ...(["in the air", { ...queued, status: "leased" }, facts({ inTheAirSince: 97_000 })] as const),
    { code: "answer", since: 97_000, next: { what: "give-up", at: 190_000 } },
  ],
] as const) {
  test(`an operation, ${title}: ${expected.code}`, () => {
    assert.deepEqual(operationOutlook(operation, outlookOf(given, nowMs), nowMs), expected);
  });
}

test("signals are kept by kind and millisecond, the last of each device", () => {
  const log = new SignalLog();
  const at = 1_795_000_000_123;
  for (const [index, kind] of signalKinds.entries()) log.note(`dev-${kind}`, kind, at + index + 0.4);
  for (const [index, kind] of signalKinds.entries()) assert.deepEqual(log.find(`dev-${kind}`), { kind, at: at + index });
  log.note("dev-send", "ack" satisfies SignalKind, at + 99);
  assert.deepEqual(log.find("dev-send"), { kind: "ack", at: at + 99 });
  log.forget("dev-send");
  assert.equal(log.find("dev-send"), undefined);
});
