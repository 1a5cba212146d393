/** The load of a light fleet: exchanges at fixed rates, or as fast as so many at once allow. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DeviceExchanges } from "./device-exchanges.ts";
import type { FleetDevice, FleetRelation } from "./fleet-device.ts";
import { Histogram, type LatencyReport } from "./histogram.ts";
import { Pacer } from "./pacer.ts";

export interface Rates {
  readonly updatesPerSecond: number;
  readonly notificationsPerSecond: number;
  readonly sendsPerSecond: number;
}

export interface LoadOptions {
  readonly clock: Clock;
  readonly preciseMs: () => number;
  readonly exchanges: DeviceExchanges;
  readonly devices: readonly FleetDevice[];
  /** Of all devices; it changes while the load runs. */
  readonly relations: readonly FleetRelation[];
  /** A device the server does not know any more. */
  readonly onUnregistered: (device: FleetDevice) => void;
}

export interface LoadReport {
  /** From the instant an exchange was due to the one it was begun: what the fleet itself adds, and no part of the other latencies. */
  readonly latenessMs: LatencyReport | null;
  /** Due, and not begun: the fleet was behind, or no device was free for it. */
  readonly skipped: number;
}

const tickMs = 1;
/** Devices looked at for one that is free. */
const mostLookedAt = 256;

export class FleetLoad {
  readonly #options: LoadOptions;
  readonly #lateness = new Histogram();
  /** Where the next turn goes on, by kind. */
  readonly #turns = { update: 0, notification: 0, send: 0 };
  #skipped = 0;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  report(): LoadReport {
    return { latenessMs: this.#lateness.report(), skipped: this.#skipped };
  }

  clear(): void {
    this.#lateness.clear();
    this.#skipped = 0;
  }

  /** Resolves when the time is over; what was begun may still be under way. */
  async pace({ updatesPerSecond, notificationsPerSecond, sendsPerSecond }: Rates, ms: number): Promise<void> {
    const { clock, preciseMs } = this.#options;
    const startedAt = preciseMs();
    const paced = [
      { pacer: new Pacer(updatesPerSecond, startedAt), begin: () => this.#update() },
      { pacer: new Pacer(notificationsPerSecond, startedAt), begin: () => this.#notify() },
      { pacer: new Pacer(sendsPerSecond, startedAt), begin: () => this.#send() },
    ];
    while (!this.#stopped && preciseMs() - startedAt < ms) {
      for (const { pacer, begin } of paced) {
        for (const lateMs of pacer.due(preciseMs())) {
          if (begin()) this.#lateness.record(lateMs);
          else this.#skipped++;
        }
      }
      await new Promise<void>((resolve) => clock.after(tickMs, resolve));
    }
    for (const { pacer } of paced) this.#skipped += pacer.skipped;
  }

  /** So many devices at once, each again as soon as it is answered; resolves when the last one is. */
  async press(kind: "register" | "update" | "send", atOnce: number, ms: number): Promise<void> {
    const { devices, exchanges, preciseMs } = this.#options;
    const startedAt = preciseMs();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (!this.#stopped && preciseMs() - startedAt < ms) {
        const device = devices[next++ % devices.length];
        if (device === undefined || device.location === undefined || device.registering || device.updating || device.sending) {
          await new Promise<void>((resolve) => this.#options.clock.after(tickMs, resolve));
          continue;
        }
        await exchanges[kind](device);
        if (device.location === undefined) this.#options.onUnregistered(device);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, devices.length) }, lane));
  }

  stop(): void {
    this.#stopped = true;
  }

  #update(): boolean {
    const device = this.#take("update", this.#options.devices, (each) => each.location !== undefined && !each.updating);
    if (device === undefined) return false;
    void this.#options.exchanges.update(device).then(() => {
      if (device.location === undefined) this.#options.onUnregistered(device);
    });
    return true;
  }

  #send(): boolean {
    const device = this.#take("send", this.#options.devices, (each) => each.location !== undefined && !each.sending);
    if (device === undefined) return false;
    void this.#options.exchanges.send(device);
    return true;
  }

  #notify(): boolean {
    const relation = this.#take("notification", this.#options.relations, (each) => !each.notifying);
    if (relation === undefined) return false;
    void this.#options.exchanges.notify(relation);
    return true;
  }

  /** One after the other, so that each has its turn. */
  #take<T>(turn: "update" | "notification" | "send", from: readonly T[], isFree: (each: T) => boolean): T | undefined {
    const most = Math.min(mostLookedAt, from.length);
    for (let looked = 0; looked < most; looked++) {
      const each = from[this.#turns[turn]++ % from.length];
      if (each !== undefined && isFree(each)) return each;
    }
    return undefined;
  }
}
