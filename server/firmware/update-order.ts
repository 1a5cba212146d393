/** What somebody asks for, and the update it makes. */
import { Buffer } from "node:buffer";
import type { Random } from "@lwm2m/protocol/ports/random";
import { ulid } from "../ulid.ts";
import type { FirmwarePackage } from "./package.ts";
import type { FirmwareUpdate } from "./update.ts";
import { changeEvent } from "./update-store.ts";

export interface UpdateOrder {
  /** Promised before; without it a new one. */
  readonly id?: string;
  readonly endpoint: string;
  readonly package: FirmwarePackage;
  /** Epoch milliseconds; default in 7 days. */
  readonly expiresAt?: number;
  readonly actor: string;
  readonly traceId: string;
}

/** Milliseconds: 7 days, long enough for a device that calls once a week. */
const standardDurationMs = 604_800_000;
const downloadTokenBytes = 16;

export function newUpdate(order: UpdateOrder, nowMs: number, random: Random): FirmwareUpdate {
  const update: FirmwareUpdate = {
    _id: order.id ?? ulid(nowMs, random),
    endpoint: order.endpoint,
    packageId: order.package._id,
    targetVersion: order.package.version,
    sha256: order.package.sha256,
    sizeBytes: order.package.sizeBytes,
    downloadToken: Buffer.from(random.bytes(downloadTokenBytes)).toString("base64url"),
    packageUri: null,
    state: "pending",
    stateSince: nowMs,
    waitingFor: { code: "turn", text: "Its turn." },
    failure: null,
    detail: null,
    attempt: 0,
    applies: 0,
    idleLooks: 0,
    staleResult: null,
    offerRefusal: null,
    seen: null,
    heardSince: null,
    pending: null,
    servedBytes: 0,
    servedAt: null,
    history: [{ state: "pending", at: nowMs }],
    createdAt: nowMs,
    createdBy: order.actor,
    traceId: order.traceId,
    expiresAt: order.expiresAt ?? nowMs + standardDurationMs,
    finishedAt: null,
    active: true,
    wakeAt: nowMs,
    rev: 1,
    hasOutbox: true,
    outbox: [],
  };
  return { ...update, outbox: [changeEvent(update, nowMs)] };
}
