/**
 * Who is awake, in memory: a device in queue mode listens for a window after its last message (LwM2M Core 1.1 §6.5), others always.
 * One timer for the whole fleet: all windows are equally long, so they end in the order in which they were opened.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

interface Presence {
  readonly queueMode: boolean;
  /** Epoch milliseconds; 0: asleep. Devices that are not in queue mode have no window. */
  awakeUntil: number;
}

export class AwakeWindows {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #onChange: (endpoint: string, awake: boolean) => void;
  readonly #presences = new Map<string, Presence>();
  /** Queue-mode devices that are awake, the window that ends first in front. */
  readonly #awake = new Map<string, Presence>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(clock: Clock, windowMs: number, onChange: (endpoint: string, awake: boolean) => void) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#onChange = onChange;
  }

  /** A registered device; a window that is open stays open. */
  add(endpoint: string, queueMode: boolean): void {
    const present = this.#presences.get(endpoint);
    if (present?.queueMode === queueMode) return;
    this.#awake.delete(endpoint);
    this.#presences.set(endpoint, { queueMode, awakeUntil: 0 });
  }

  remove(endpoint: string): void {
    this.#presences.delete(endpoint);
    this.#awake.delete(endpoint);
  }

  has(endpoint: string): boolean {
    return this.#presences.has(endpoint);
  }

  isAwake(endpoint: string): boolean {
    const presence = this.#presences.get(endpoint);
    return presence !== undefined && (!presence.queueMode || presence.awakeUntil > this.#clock.now());
  }

  /** A message of the device arrived: its window starts again. */
  extend(endpoint: string): void {
    const presence = this.#presences.get(endpoint);
    if (presence === undefined || !presence.queueMode || this.#closed) return;
    const wasAwake = presence.awakeUntil > this.#clock.now();
    presence.awakeUntil = this.#clock.now() + this.#windowMs;
    this.#awake.delete(endpoint);
    this.#awake.set(endpoint, presence);
    this.#timer ??= this.#clock.after(this.#windowMs, () => this.#closeDueWindows());
    if (!wasAwake) this.#onChange(endpoint, true);
  }

  /** The device did not answer: whatever its window said, it sleeps. */
  end(endpoint: string): void {
    const presence = this.#awake.get(endpoint);
    if (presence === undefined) return;
    this.#awake.delete(endpoint);
    presence.awakeUntil = 0;
    this.#onChange(endpoint, false);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #closeDueWindows(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    for (const [endpoint, presence] of this.#awake) {
      if (presence.awakeUntil > nowMs) {
        this.#timer = this.#clock.after(presence.awakeUntil - nowMs, () => this.#closeDueWindows());
        return;
      }
      this.end(endpoint);
    }
  }
}
