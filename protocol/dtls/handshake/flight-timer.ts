/** When a flight is sent again, in what size, and when the handshake is given up (RFC 6347 §4.2.4.1). */
import type { Random } from "../../ports/random.ts";
import type { HandshakeSettings } from "../handshake-contract.ts";
import { lossesBeforeSmallMtu, repeatPause, timeoutJitter } from "./limits.ts";

/** What follows a flight of ours: a flight that is answered in turn, the peer's last one, or nothing. */
export type Afterwards = "flight" | "last-flight" | "nothing";

/** `again`: the flight is due. `wait`: nothing is due yet. */
export type Due = "again" | "wait" | "give-up";

export class FlightTimer {
  readonly #settings: HandshakeSettings;
  readonly #random: Random;
  #deadlineAt = 0;
  #timeoutMs = 0;
  /** Undefined while only the deadline counts. */
  #dueAt: number | undefined;
  #armedFor: number | undefined;
  #losses = 0;
  /** Of the same flight, whoever asked for them: a peer that repeats its own sooner than we has not heard ours either. */
  #repeats = 0;
  #sentAt = Number.NEGATIVE_INFINITY;
  #stopsAtNextFlight = false;

  constructor(settings: HandshakeSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  begin(nowMs: number): void {
    this.#deadlineAt = nowMs + this.#settings.deadlineMs;
  }

  /** Whether the path has shown itself to lose what is large (RFC 6347 §4.1.1.1). */
  get isSmallPath(): boolean {
    return this.#repeats >= lossesBeforeSmallMtu;
  }

  /** Largest plaintext of a record for the path as it has shown itself. */
  get mtuBytes(): number {
    return this.isSmallPath ? this.#settings.smallMtuBytes : this.#settings.mtuBytes;
  }

  /** A new flight left. */
  sent(afterwards: Afterwards, nowMs: number): void {
    this.#losses = 0;
    this.#repeats = 0;
    this.#timeoutMs = this.#settings.initialTimeoutMs;
    this.#stopsAtNextFlight = afterwards === "flight";
    this.#sentAt = nowMs;
    this.#dueAt = afterwards === "nothing" ? undefined : nowMs + this.#jittered();
  }

  /** True when that stopped the repetition of our flight. */
  nextFlightBegan(): boolean {
    if (!this.#stopsAtNextFlight || this.#dueAt === undefined) return false;
    this.#dueAt = undefined;
    return true;
  }

  /** Whether a repeat of the peer is answered by the flight: not within the pause, or duplicates would be answered too. */
  mayRepeat(nowMs: number): boolean {
    if (nowMs - this.#sentAt < this.#settings.initialTimeoutMs * repeatPause) return false;
    this.#sentAt = nowMs;
    this.#repeats += 1;
    if (this.#dueAt !== undefined) this.#dueAt = nowMs + this.#jittered();
    return true;
  }

  /** The delay to ask for; undefined when the timer asked for last is due just then. */
  arm(nowMs: number): number | undefined {
    const dueAt = Math.max(nowMs, Math.min(this.#dueAt ?? this.#deadlineAt, this.#deadlineAt));
    if (dueAt === this.#armedFor) return undefined;
    this.#armedFor = dueAt;
    return dueAt - nowMs;
  }

  fired(nowMs: number): Due {
    this.#armedFor = undefined;
    if (nowMs >= this.#deadlineAt) return "give-up";
    if (this.#dueAt === undefined || nowMs < this.#dueAt) return "wait";
    if (this.#losses >= this.#settings.mostRetransmissions) return "give-up";
    this.#losses += 1;
    this.#repeats += 1;
    this.#timeoutMs = Math.min(this.#timeoutMs * 2, this.#settings.largestTimeoutMs);
    this.#sentAt = nowMs;
    this.#dueAt = nowMs + this.#jittered();
    return "again";
  }

  #jittered(): number {
    return Math.round(this.#timeoutMs * (1 + timeoutJitter * this.#random.fraction()));
  }
}
