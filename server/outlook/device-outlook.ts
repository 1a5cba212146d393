/**
 * What a device waits for, since when, what was heard of it last and what comes next: from what the server knows at this moment. Pure.
 *
 * The first that holds is told: what keeps the server from reaching the device, then what it does or is about to do.
 */
import type { Signal } from "./signal-log.ts";
import type { NextStep, WaitingCode } from "./waiting-codes.ts";

export interface DeviceFacts {
  readonly createdAt: number;
  readonly quarantined: boolean;
  /** The last registration, live or gone. */
  readonly registration: RegistrationFacts | undefined;
  readonly signal: Signal | undefined;
  readonly awake: boolean;
  /** What is sent to its address reaches it, and no other. */
  readonly ownsAddress: boolean;
  readonly elsewhere: boolean;
  readonly connected: boolean;
  /** How long it listens after a message. */
  readonly windowMs: number;
  /** Until when it listens; undefined when it is asleep or always awake. */
  readonly awakeUntil: number | undefined;
  readonly inTheAirSince: number | undefined;
  /** How long an answer is waited for, about. */
  readonly giveUpMs: number;
  /** When the block that is in the air was asked for. */
  readonly movedAt: number | undefined;
  /** Until when the device has asked to be left alone. */
  readonly patienceUntil: number | undefined;
  /** What is due does not fit into what is left of this wake-up. */
  readonly heldBack: boolean;
  readonly work: DeviceWork;
}

export interface RegistrationFacts {
  readonly registeredAt: number;
  readonly expiresAt: number | null;
  readonly barredAt: number | null;
  readonly goneAt: number | null;
  readonly nextContactAt: number | undefined;
}

export interface DeviceWork {
  /** Since when the oldest operation that may be sent now waits. */
  readonly dueSince: number | undefined;
  /** The next operation that may not be sent yet. */
  readonly notBefore: { readonly since: number; readonly at: number } | undefined;
  readonly observation: boolean;
  readonly update: { readonly since: number; readonly nextAt: number } | undefined;
}

export interface Waiting {
  readonly code: WaitingCode;
  readonly since: number;
  readonly next: NextStep;
}

/** What keeps the server from sending. */
export type ObstacleCode = Extract<
  WaitingCode,
  "claim" | "registration" | "credential" | "connection" | "other-process" | "address" | "wake-up"
>;

export interface Obstacle extends Waiting {
  readonly code: ObstacleCode;
}

/** Why a device that could be reached is not sent to. */
export interface Hold extends Waiting {
  readonly code: Extract<WaitingCode, "patience" | "next-wake-up">;
}

export interface DeviceOutlook extends Waiting {
  /** What has to happen before anything can be sent; undefined when the device can be reached now. */
  readonly obstacle: Obstacle | undefined;
  /** Why it waits all the same. */
  readonly hold: Hold | undefined;
  /** What something that may be sent waits for. */
  readonly waitingFor: ObstacleCode | Hold["code"] | "turn";
  readonly awake: boolean;
  readonly lastSignal: Signal | undefined;
  readonly nextExpectedContact: number | undefined;
  readonly inTheAirSince: number | undefined;
  readonly giveUpMs: number;
  readonly movedAt: number | undefined;
}

/** What operations are told of their device. */
export interface Outlooks {
  of(endpoint: string): Promise<DeviceOutlook>;
}

export function outlookOf(facts: DeviceFacts, nowMs: number): DeviceOutlook {
  const { registration, signal, awake, inTheAirSince, giveUpMs, movedAt } = facts;
  const hindrance = hindranceOf(facts);
  const asleep = (): Obstacle => ({ code: "wake-up", since: asleepSince(facts, nowMs), next: nextContact(facts) });
  const obstacle = hindrance ?? (awake ? undefined : asleep());
  const hold = obstacle === undefined ? holdOf(facts) : undefined;
  return {
    ...(hindrance ?? waitingWork(facts, obstacle, hold)),
    ...{ obstacle, hold, waitingFor: obstacle?.code ?? hold?.code ?? "turn", awake, lastSignal: signal },
    ...{ inTheAirSince, giveUpMs, movedAt },
    nextExpectedContact: registration?.goneAt === null ? registration.nextContactAt : undefined,
  };
}

/** What is out of order: told whether anything waits or not. */
function hindranceOf({
  quarantined,
  createdAt,
  registration,
  connected,
  elsewhere,
  ownsAddress,
  signal,
}: DeviceFacts): Obstacle | undefined {
  if (quarantined) return { code: "claim", since: createdAt, next: { what: "claim", at: null } };
  if (registration === undefined) return { code: "registration", since: createdAt, next: { what: "registration", at: null } };
  if (registration.goneAt !== null) return { code: "registration", since: registration.goneAt, next: { what: "registration", at: null } };
  const heardAt = signal?.at ?? registration.registeredAt;
  const next = expected(registration);
  if (registration.barredAt !== null && !connected) return { code: "credential", since: registration.barredAt, next };
  if (elsewhere) return { code: "other-process", since: heardAt, next };
  if (!connected) return { code: "connection", since: heardAt, next };
  return ownsAddress ? undefined : { code: "address", since: heardAt, next };
}

/** It listens, and has either asked to be left alone or been sent as much as its wake-up takes. */
function holdOf({ patienceUntil, heldBack, registration, signal, createdAt, awakeUntil }: DeviceFacts): Hold | undefined {
  const since = signal?.at ?? createdAt;
  const contact: NextStep = registration === undefined ? { what: "contact", at: null } : expected(registration);
  if (patienceUntil !== undefined) {
    const isAsleepThen = awakeUntil !== undefined && awakeUntil <= patienceUntil;
    return { code: "patience", since, next: isAsleepThen ? contact : { what: "send", at: patienceUntil } };
  }
  return heldBack ? { code: "next-wake-up", since, next: contact } : undefined;
}

function waitingWork(facts: DeviceFacts, obstacle: Waiting | undefined, hold: Hold | undefined): Waiting {
  const { work, inTheAirSince, giveUpMs, movedAt, registration, signal, createdAt } = facts;
  const heardAt = signal?.at ?? createdAt;
  if (inTheAirSince !== undefined)
    return { code: "answer", since: inTheAirSince, next: { what: "give-up", at: (movedAt ?? inTheAirSince) + giveUpMs } };
  if (obstacle !== undefined && (work.dueSince !== undefined || work.observation)) return obstacle;
  if (hold !== undefined && (work.dueSince !== undefined || (work.observation && hold.code === "patience"))) return hold;
  if (work.dueSince !== undefined) return { code: "turn", since: work.dueSince, next: { what: "send", at: null } };
  if (work.observation) return { code: "observation", since: registration?.registeredAt ?? heardAt, next: { what: "send", at: null } };
  if (work.update !== undefined) return { code: "update", since: work.update.since, next: { what: "update-step", at: work.update.nextAt } };
  if (work.notBefore !== undefined)
    return { code: "not-before", since: work.notBefore.since, next: { what: "send", at: work.notBefore.at } };
  return { code: "nothing", since: heardAt, next: nextContact(facts) };
}

/** The end of its window; where it gave no answer it was taken for asleep earlier, some time after it was heard. */
function asleepSince({ signal, windowMs, registration, createdAt }: DeviceFacts, nowMs: number): number {
  const heardAt = signal?.at ?? registration?.registeredAt ?? createdAt;
  return heardAt + windowMs <= nowMs ? heardAt + windowMs : heardAt;
}

function nextContact({ registration, awakeUntil }: DeviceFacts): NextStep {
  if (awakeUntil !== undefined) return { what: "sleep", at: awakeUntil };
  return registration === undefined ? { what: "registration", at: null } : expected(registration);
}

function expected({ nextContactAt, expiresAt }: RegistrationFacts): NextStep {
  if (expiresAt !== null && (nextContactAt === undefined || nextContactAt >= expiresAt))
    return { what: "registration-expiry", at: expiresAt };
  return { what: "contact", at: nextContactAt ?? null };
}
