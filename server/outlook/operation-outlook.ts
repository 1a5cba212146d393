/** What an operation that is not final waits for: its own state first, then its device's. Pure. */
import type { DeviceOutlook, Waiting } from "./device-outlook.ts";

export interface OpenOperation {
  readonly status: string;
  readonly queuedAt: number;
  readonly sentAt: number | null;
  readonly expiresAt: number;
  readonly notBefore?: number;
}

export function operationOutlook(
  { status, queuedAt, sentAt, expiresAt, notBefore = 0 }: OpenOperation,
  device: DeviceOutlook,
  nowMs: number,
): Waiting {
  if (status !== "queued") {
    const since = device.inTheAirSince ?? sentAt ?? queuedAt;
    return { code: "answer", since, next: { what: "give-up", at: (device.movedAt ?? since) + device.giveUpMs } };
  }
  if (notBefore > nowMs) return { code: "not-before", since: queuedAt, next: { what: "send", at: notBefore } };
  const obstacle = device.obstacle ?? device.hold;
  if (obstacle === undefined) return { code: "turn", since: queuedAt, next: { what: "send", at: null } };
  const comesFirst = obstacle.next.at !== null && obstacle.next.at <= expiresAt;
  return {
    code: obstacle.code,
    since: Math.max(queuedAt, obstacle.since),
    next: comesFirst ? obstacle.next : { what: "operation-expiry", at: expiresAt },
  };
}
