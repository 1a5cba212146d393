/**
 * Handshakes that failed or were refused, told as one line and one event a minute: anybody can make them fail, and however many they are,
 * they must not push what happened to devices out of the event log.
 */
import type { DtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import type { Supervisor } from "../supervisor.ts";

export interface HandshakeReportDeps {
  readonly door: string;
  readonly dtls: Pick<DtlsEndpoint, "counters" | "onNews">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "warn">;
  readonly events: Pick<EventLog, "append">;
  readonly supervisor: Supervisor;
}

const periodMs = 60_000;
/** Of a minute: enough to see whether it is one device or many. */
const addressesTold = 10;
const keyBytes = 12;
const failedPrefix = "failed-";
/** By whom the counters of an endpoint say that a handshake did not even begin, or had to give way. */
const refusals: { readonly [counter: string]: string } = {
  hellosRefusedRate: "hello-rate",
  handshakesRefusedRate: "rate",
  handshakesRefusedBusy: "busy",
  handshakesRefusedFull: "full",
  handshakeWorkDropped: "work",
  lookUpsRefused: "look-ups",
};

type Counts = { readonly [name: string]: number };

export class HandshakeReports {
  readonly #deps: HandshakeReportDeps;
  readonly #addresses = new Set<string>();
  #before: Counts;
  #timer: Timer;

  constructor(deps: HandshakeReportDeps) {
    this.#deps = deps;
    this.#before = { ...deps.dtls.counters };
    deps.dtls.onNews((news) => {
      if (news.kind !== "handshake-failed" || news.failure === "cancelled") return;
      if (this.#addresses.size < addressesTold) this.#addresses.add(news.address.address);
    });
    this.#timer = this.#arm();
  }

  /** Tells what has not been told yet. */
  close(): void {
    this.#timer.cancel();
    this.#tell();
  }

  #arm(): Timer {
    return this.#deps.clock.after(periodMs, () => {
      this.#tell();
      this.#timer = this.#arm();
    });
  }

  #tell(): void {
    const { door, dtls, clock, random, log, events, supervisor } = this.#deps;
    const now = { ...dtls.counters };
    const failed = this.#grown(now, (name) => (name.startsWith(failedPrefix) ? name.slice(failedPrefix.length) : undefined));
    const refused = this.#grown(now, (name) => refusals[name]);
    this.#before = now;
    const addresses = [...this.#addresses];
    this.#addresses.clear();
    // Ours, not the peer's: another handshake from there took its place, or the server stops.
    const { cancelled: _, ...failures } = failed;
    if (Object.keys(failures).length === 0 && Object.keys(refused).length === 0) return;
    const about = { door, failed: failures, refused, addresses };
    log.warn("handshakes failed or were refused", about);
    const key = `handshakes/${Buffer.from(random.bytes(keyBytes)).toString("base64url")}`;
    const draft = { key, type: "security.handshakesFailed", subject: door, timeMs: clock.now(), data: about } as const;
    supervisor.run(events.append([draft]), "log failed handshakes");
  }

  #grown(now: Counts, nameOf: (counter: string) => string | undefined): { [name: string]: number } {
    const grown: { [name: string]: number } = {};
    for (const [counter, count] of Object.entries(now)) {
      const name = nameOf(counter);
      const more = count - (this.#before[counter] ?? 0);
      if (name !== undefined && more > 0) grown[name] = more;
    }
    return grown;
  }
}
