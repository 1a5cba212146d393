/**
 * Queue mode (LwM2M Core 1.1 §6.5, Transport 1.1 §6.7): awake for a while after the last message sent, then asleep until there is
 * something to send.
 *
 *   awake --nothing sent for awakeMs--> asleep --wake()--> awake
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

export interface AwakeWindowOptions {
  readonly clock: Clock;
  /** Undefined: the device never sleeps. */
  readonly awakeMs: number | undefined;
  /** A device at work stays awake for another window. */
  readonly busy: () => boolean;
  readonly onSleep: () => void;
  readonly onWake: () => void;
}

export class AwakeWindow {
  readonly #options: AwakeWindowOptions;
  #awake = true;
  #sleepAt = 0;
  #timer: Timer | undefined;

  constructor(options: AwakeWindowOptions) {
    this.#options = options;
  }

  get awake(): boolean {
    return this.#awake;
  }

  /** A message left: the window begins anew. One timer runs; it finds out how often it was postponed. */
  extend(): void {
    const { awakeMs, clock } = this.#options;
    if (awakeMs === undefined || !this.#awake) return;
    this.#sleepAt = clock.now() + awakeMs;
    if (this.#timer === undefined) this.#arm();
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#options.onWake();
    this.extend();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, this.#sleepAt - clock.now()), () => {
      this.#timer = undefined;
      if (this.#options.busy()) this.extend();
      else if (clock.now() < this.#sleepAt) this.#arm();
      else {
        this.#awake = false;
        this.#options.onSleep();
      }
    });
  }
}
