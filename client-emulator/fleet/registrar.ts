/**
 * Registers the devices of a fleet at a bounded rate, and again whoever loses its registration. A server that asks to come back later
 * (5.03 or 4.29 with Max-Age, RFC 7252 §5.9.3.4) is asked later; what is refused or lost is tried again, a few times.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { DeviceExchanges } from "./device-exchanges.ts";
import type { FleetDevice } from "./fleet-device.ts";

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly exchanges: DeviceExchanges;
  /** Registrations begun per second; Infinity: as fast as `atOnce` allows. */
  readonly perSecond: number;
  /** Registrations under way at most. */
  readonly atOnce: number;
}

/** Registrations of one device that may fail before it is left alone. */
const mostFailures = 5;
/** The first pause after a failure, doubled with each. */
const retryMs = 2_000;
const tickMs = 10;

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #ready: FleetDevice[] = [];
  readonly #failures = new Map<FleetDevice, number>();
  readonly #timers = new Set<Timer>();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #postponed = 0;
  /** Registrations that may begin now; grows with time. */
  #allowance = 0;
  #countedAt: number;
  #ticking = false;
  #givenUp = 0;
  #closed = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#countedAt = options.clock.now();
  }

  /** Devices that were left without a registration. */
  get givenUp(): number {
    return this.#givenUp;
  }

  add(device: FleetDevice): void {
    this.#ready.push(device);
    if (!this.#ticking) this.#countedAt = this.#options.clock.now();
    this.#advance();
  }

  /** Resolves when every device that was added is registered or given up. */
  settled(): Promise<void> {
    if (this.#idle) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get #idle(): boolean {
    return this.#ready.length === 0 && this.#underWay === 0 && this.#postponed === 0;
  }

  #advance(): void {
    const { clock, perSecond, atOnce } = this.#options;
    if (this.#closed) return;
    const now = clock.now();
    // What was saved up in a pause is at most what one tick allows.
    this.#allowance = Math.min(
      this.#allowance + ((now - this.#countedAt) * perSecond) / 1_000,
      Math.max(1, (perSecond * 2 * tickMs) / 1_000),
    );
    if (perSecond === Number.POSITIVE_INFINITY) this.#allowance = perSecond;
    this.#countedAt = now;
    while (this.#ready.length > 0 && this.#underWay < atOnce && this.#allowance >= 1) {
      this.#allowance--;
      const device = this.#ready.shift();
      if (device !== undefined) this.#start(device);
    }
    if (this.#ready.length > 0 && this.#underWay < atOnce && !this.#ticking) {
      this.#ticking = true;
      this.#later(tickMs, () => {
        this.#ticking = false;
        this.#advance();
      });
    }
  }

  #start(device: FleetDevice): void {
    this.#underWay++;
    void this.#options.exchanges.register(device).then((outcome) => {
      this.#underWay--;
      if (this.#closed) return;
      if (outcome.kind === "done") this.#failures.delete(device);
      else this.#again(device, outcome.kind === "later" ? outcome.delayMs : undefined);
      this.#advance();
      if (this.#idle) for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  /** `delayMs`: the server's own word, which is no failure. */
  #again(device: FleetDevice, delayMs: number | undefined): void {
    const failures = (this.#failures.get(device) ?? 0) + (delayMs === undefined ? 1 : 0);
    if (failures > mostFailures) {
      this.#failures.delete(device);
      this.#givenUp++;
      return;
    }
    this.#failures.set(device, failures);
    this.#postponed++;
    this.#later(delayMs ?? retryMs * 2 ** (failures - 1), () => {
      this.#postponed--;
      this.add(device);
    });
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }
}
