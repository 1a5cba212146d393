/** What of a Send was not taken, and why, as events: of each device so many a minute, and the next one says how many were left out. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { BoundedLines } from "../bounded-lines.ts";
import type { EventLog } from "../events/event.ts";
import type { JsonObject } from "../storage/json-object.ts";

export interface SendReportsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Pick<EventLog, "append">;
}

/** `send.refused`: nothing of it was taken. `send.incomplete`: all that could be read was. */
export type SendReport = "send.refused" | "send.incomplete";

/** A device that is wrong in each Send of a second is wrong in one way. */
const perMinute = 6;
/** Devices that were told of in this process; the oldest go first. */
const mostDevices = 10_000;
const keyBytes = 12;

export class SendReports {
  readonly #deps: SendReportsDeps;
  readonly #lines = new Map<string, BoundedLines>();

  constructor(deps: SendReportsDeps) {
    this.#deps = deps;
  }

  /** Durable when it resolves. */
  async note(endpoint: string, type: SendReport, about: JsonObject): Promise<void> {
    const { clock, random, events } = this.#deps;
    const line = this.#linesOf(endpoint).take();
    if (line === undefined) return;
    const key = `${type}/${Buffer.from(random.bytes(keyBytes)).toString("base64url")}`;
    await events.append([{ key, type, subject: endpoint, timeMs: clock.now(), data: { ...about, ...line } }]);
  }

  #linesOf(endpoint: string): BoundedLines {
    const present = this.#lines.get(endpoint);
    if (present !== undefined) return present;
    const [oldest] = this.#lines.keys();
    if (this.#lines.size >= mostDevices && oldest !== undefined) this.#lines.delete(oldest);
    const lines = new BoundedLines(this.#deps.clock, perMinute);
    this.#lines.set(endpoint, lines);
    return lines;
  }
}
