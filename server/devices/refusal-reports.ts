/** Who was refused because nobody expects it: counted, and told once an hour for each name, at a bounded rate, for anybody can do it. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { BoundedLines } from "../bounded-lines.ts";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import type { Supervisor } from "../supervisor.ts";

/** `quarantine-full`: it may come again later. */
export type RefusalReason = "unknown" | "quarantine-full";

export interface RefusalReportsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "warn">;
  readonly events: Pick<EventLog, "append">;
  readonly supervisor: Supervisor;
}

/** Of one name. */
const everyMs = 3_600_000;
/** Of all names: with `everyMs` it bounds what is remembered. */
const perMinute = 60;
const keyBytes = 12;

export class RefusalReports {
  readonly #deps: RefusalReportsDeps;
  readonly #lines: BoundedLines;
  /** Names and when they were told of, oldest first. */
  readonly #told = new Map<string, number>();
  readonly #counters: { [reason in RefusalReason]: number } = { unknown: 0, "quarantine-full": 0 };

  constructor(deps: RefusalReportsDeps) {
    this.#deps = deps;
    this.#lines = new BoundedLines(deps.clock, perMinute);
  }

  get counters(): { readonly [reason in RefusalReason]: number } {
    return this.#counters;
  }

  get remembered(): number {
    return this.#told.size;
  }

  note(
    { endpoint, address }: { readonly endpoint: string; readonly address: { readonly address: string; readonly port: number } },
    reason: RefusalReason,
  ): void {
    const { clock, random, log, events, supervisor } = this.#deps;
    this.#counters[reason] += 1;
    const nowMs = clock.now();
    for (const [name, at] of this.#told) {
      if (nowMs - at < everyMs) break;
      this.#told.delete(name);
    }
    if (this.#told.has(endpoint)) return;
    const line = this.#lines.take();
    if (line === undefined) return;
    this.#told.set(endpoint, nowMs);
    const about = { reason, address: { address: address.address, port: address.port }, ...line };
    log.warn("a device that nobody expects was refused", { endpoint, ...about });
    const key = `refused/${Buffer.from(random.bytes(keyBytes)).toString("base64url")}`;
    const draft = { key, type: "device.refused", subject: endpoint, timeMs: nowMs, data: about } as const;
    supervisor.run(events.append([draft]), "log a refused device");
  }
}
