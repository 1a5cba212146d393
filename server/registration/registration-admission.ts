/**
 * A reconnect storm: after an outage every device registers at once. As many are let in as the store takes; the others are told when to
 * come back (5.03 with Max-Age, RFC 7252 §5.9.3.4), each at a time of its own, one after the other at the rate that was measured.
 *
 *   new --place in the line--> registers
 *   new --none--> told --comes in time, place--> registers
 *                 told --none--> turned away --comes, place--> registers
 *
 * The line is up to a second long, and longest for who was turned away: so whoever has waited goes before those that come anew, and who
 * waited twice before those that waited once. Max-Age counts whole seconds, so those who asked together come together: the line
 * takes them in and lets them go one by one. It stands in front of the store, not in it: updates and answers pass by.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { AppointmentBook } from "./appointment-book.ts";

export interface RegistrationAdmissionDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Registrations a second at most, whatever the store takes. */
  readonly perSecond: number;
  /** The first of those that were put off in a minute, with how many it was since the last news. */
  readonly onPutOff?: (news: { readonly putOff: number; readonly perSecond: number }) => void;
  /** Appointments kept; a power of two. */
  readonly places?: number;
}

export type AdmissionTicket =
  /** `done` is called once the registration is durable or has failed. */
  { readonly ok: true; readonly done: () => void } | { readonly ok: false; readonly maxAgeSeconds: number };

export const admissionLimits = {
  /** Appointments kept, 1.7 MB once there is the first. */
  places: 131_072,
  /** What the store is taken to do before it was measured, registrations a second. */
  firstRate: 1_000,
  leastRate: 10,
  /** Registrations under way: what the store does in a quarter of a second, so that updates and answers wait no longer behind them. */
  roomSeconds: 0.25,
  leastRoom: 64,
  mostRoom: 512,
  /** Part of the measured rate that is given away in appointments: the rest is for those that come anew. */
  appointedShare: 0.9,
  /** The first appointment, ms from now: Max-Age says no less. */
  soonestMs: 1_000,
  /** How much too early a device may come, and how far appointments of one second are spread, ms. */
  toleranceMs: 1_000,
  /** Without a place in the book: so long after the last appointment, ms, at most. */
  unbookedSpreadMs: 60_000,
  windowMs: 1_000,
  /** Of a window: with less nothing is said of the store. */
  leastPressedMs: 100,
  /** Of the rate, in a second in which it was reached and most of the room was left. */
  growth: 1.1,
} as const;

/** Of the room. */
const pressedShare = 0.25;
/** How long the line may be for who comes, seconds: below ACK_TIMEOUT, or devices would ask twice (RFC 7252 §4.8). */
const lineSeconds = { new: 0.5, "new among told": 0.05, told: 0.7, "turned-away": 1 } as const;
const reportEveryMs = 60_000;

export class RegistrationAdmission {
  readonly #deps: RegistrationAdmissionDeps;
  readonly #counters = { admitted: 0, putOff: 0 };
  #book: AppointmentBook | undefined;
  #rate: number = admissionLimits.firstRate;
  #underWay = 0;
  /** The last appointment of those that are told, and of those that are turned away. */
  readonly #lastAt = { told: 0, "turned-away": 0 };
  /** `pressed`: while so many were under way that the store, not the devices, decided how many were done. */
  #window = { endsAt: 0, done: 0, mostUnderWay: 0, pressedMs: 0, donePressed: 0 };
  #changedAt = 0;
  readonly #line: ((ticket: AdmissionTicket) => void)[] = [];
  #next: Timer | undefined;
  #tokens: number;
  #tokensAt: number;
  #reported = { at: Number.NEGATIVE_INFINITY, putOff: 0 };

  constructor(deps: RegistrationAdmissionDeps) {
    this.#deps = deps;
    this.#tokens = this.#burst;
    this.#tokensAt = deps.clock.now();
  }

  /** Registrations a second that the store takes, as far as was seen. */
  get rate(): number {
    return this.#rate;
  }

  /** Since the start. */
  get counters(): { readonly admitted: number; readonly putOff: number } {
    return this.#counters;
  }

  /** `name`: what the device will be known by when it comes back. */
  ask(name: string): AdmissionTicket | Promise<AdmissionTicket> {
    const nowMs = this.#deps.clock.now();
    this.#measure(nowMs);
    const appointment = this.#book?.find(name, nowMs);
    const isDue = appointment !== undefined && appointment.at - nowMs <= admissionLimits.toleranceMs;
    const longest = lineSeconds[isDue ? appointment.kind : this.#isAwaiting(nowMs) ? "new among told" : "new"];
    if (this.#line.length < Math.max(1, this.#paceOf(longest))) {
      if (appointment !== undefined) this.#book?.delete(name);
      if (this.#line.length === 0 && this.#isFree()) return this.#admit();
      return new Promise((resolve) => {
        this.#line.push(resolve);
        this.#letGo();
      });
    }
    this.#report(nowMs);
    if (appointment !== undefined && !isDue) return { ok: false, maxAgeSeconds: secondsUntil(appointment.at, nowMs) };
    return { ok: false, maxAgeSeconds: secondsUntil(this.#appoint(name, isDue ? "turned-away" : "told", nowMs), nowMs) };
  }

  /** Those in the line are let go at once: what they begin fails or is done. */
  close(): void {
    this.#next?.cancel();
    for (const resolve of this.#line.splice(0)) resolve(this.#admit());
  }

  #admit(): AdmissionTicket {
    this.#counters.admitted += 1;
    this.#change(1);
    this.#tokens -= 1;
    let isOpen = true;
    const done = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#change(-1);
      this.#letGo();
    };
    return { ok: true, done };
  }

  #letGo(): void {
    this.#refill(this.#deps.clock.now());
    while (this.#line.length > 0 && this.#isFree()) this.#line.shift()?.(this.#admit());
    if (this.#line.length === 0 || this.#tokens >= 1 || this.#next !== undefined) return;
    this.#next = this.#deps.clock.after(Math.ceil(((1 - this.#tokens) * 1_000) / this.#deps.perSecond), () => {
      this.#next = undefined;
      this.#letGo();
    });
  }

  #isFree(): boolean {
    return this.#underWay < this.#room && this.#tokens >= 1;
  }

  /** Somebody was told to come, and may still. */
  #isAwaiting(nowMs: number): boolean {
    return Math.max(this.#lastAt.told, this.#lastAt["turned-away"]) + admissionLimits.toleranceMs > nowMs;
  }

  /** Registrations in so many seconds. */
  #paceOf(seconds: number): number {
    return Math.min(this.#rate, this.#deps.perSecond) * seconds;
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#tokensAt) / 1_000) * this.#deps.perSecond);
    this.#tokensAt = nowMs;
  }

  #change(by: 1 | -1): void {
    const nowMs = this.#deps.clock.now();
    const window = this.#window;
    const isPressed = this.#underWay >= this.#room * pressedShare;
    if (isPressed) window.pressedMs += nowMs - this.#changedAt;
    if (by === -1) window.done += 1;
    if (by === -1 && isPressed) window.donePressed += 1;
    this.#changedAt = nowMs;
    this.#underWay += by;
    window.mostUnderWay = Math.max(window.mostUnderWay, this.#underWay);
  }

  get #room(): number {
    const { roomSeconds, leastRoom, mostRoom } = admissionLimits;
    return Math.min(mostRoom, Math.max(leastRoom, this.#rate * roomSeconds));
  }

  get #burst(): number {
    return Math.max(1, this.#deps.perSecond * admissionLimits.roomSeconds);
  }

  /** Its time: the next that is free. */
  #appoint(name: string, kind: "told" | "turned-away", nowMs: number): number {
    const { soonestMs, appointedShare, toleranceMs, unbookedSpreadMs } = admissionLimits;
    const { random } = this.#deps;
    const everyMs = 1_000 / this.#paceOf(appointedShare);
    const at = Math.max(nowMs + soonestMs, this.#lastAt[kind] + everyMs);
    this.#book ??= new AppointmentBook(this.#deps.places ?? admissionLimits.places);
    if (!this.#book.set(name, { at, kind }, nowMs)) return this.#lastAt.told + random.fraction() * unbookedSpreadMs;
    this.#lastAt[kind] = at;
    return at + random.fraction() * toleranceMs;
  }

  /** What is done while much is under way is what the store takes; in a second in which most of the room was left it may take more. */
  #measure(nowMs: number): void {
    const { windowMs, leastRate, growth, leastPressedMs } = admissionLimits;
    const { perSecond } = this.#deps;
    this.#refill(nowMs);
    if (nowMs < this.#window.endsAt) return;
    const { done, mostUnderWay, endsAt, pressedMs, donePressed } = this.#window;
    const doneRate = done / Math.max(1, (nowMs - endsAt + windowMs) / 1_000);
    const isBusy = doneRate > this.#rate / 2;
    if (pressedMs >= leastPressedMs) this.#rate = Math.max(leastRate, (this.#rate + (donePressed * 1_000) / pressedMs) / 2);
    else if (isBusy && mostUnderWay < this.#room / 2) this.#rate = Math.min(perSecond, Math.max(this.#rate * growth, doneRate));
    this.#window = { endsAt: nowMs + windowMs, done: 0, mostUnderWay: this.#underWay, pressedMs: 0, donePressed: 0 };
  }

  #report(nowMs: number): void {
    this.#counters.putOff += 1;
    if (nowMs - this.#reported.at < reportEveryMs) return;
    this.#deps.onPutOff?.({ putOff: this.#counters.putOff - this.#reported.putOff, perSecond: Math.round(this.#rate) });
    this.#reported = { at: nowMs, putOff: this.#counters.putOff };
  }
}

function secondsUntil(at: number, nowMs: number): number {
  return Math.max(1, Math.ceil((at - nowMs) / 1_000));
}
