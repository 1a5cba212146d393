/** What became of the exchanges of one kind. */
import { formatCode } from "@lwm2m/protocol/coap/codes";
import { Histogram, type LatencyReport } from "./histogram.ts";

export interface TallyReport {
  readonly sent: number;
  readonly acknowledged: number;
  /** Neither answered nor refused: given up, rejected, or without an answer when the time was over. */
  readonly lost: number;
  /** Answers of class 4 and 5, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Exchanges that took more than one datagram. */
  readonly repeated: number;
  /** From the first datagram to the acknowledgement. */
  readonly latencyMs: LatencyReport | null;
}

export class Tally {
  readonly #latencies = new Histogram();
  readonly #refused = new Map<number, number>();
  /** Exchanges begun before the last `clear` do not count. */
  #generation = 0;
  #sent = 0;
  #acknowledged = 0;
  #lost = 0;
  #repeated = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get open(): number {
    let refused = 0;
    for (const count of this.#refused.values()) refused += count;
    return this.#sent - this.#acknowledged - this.#lost - refused;
  }

  /** Ends exactly once, in one of the ways of what it gives. */
  begin(): OpenExchange {
    const generation = this.#generation;
    this.#sent++;
    const counted = (count: () => void): void => {
      if (generation === this.#generation) count();
    };
    return {
      acknowledged: (latencyMs, datagrams) =>
        counted(() => {
          this.#acknowledged++;
          if (datagrams > 1) this.#repeated++;
          this.#latencies.record(latencyMs);
        }),
      refused: (code, datagrams) =>
        counted(() => {
          if (datagrams > 1) this.#repeated++;
          this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
        }),
      lost: () =>
        counted(() => {
          this.#lost++;
        }),
      withdrawn: () =>
        counted(() => {
          this.#sent--;
        }),
    };
  }

  clear(): void {
    this.#generation++;
    this.#latencies.clear();
    this.#refused.clear();
    this.#sent = 0;
    this.#acknowledged = 0;
    this.#lost = 0;
    this.#repeated = 0;
  }

  report(): TallyReport {
    const refused = [...this.#refused].sort(([left], [right]) => left - right).map(([code, count]) => [formatCode(code), count] as const);
    return {
      sent: this.#sent,
      acknowledged: this.#acknowledged,
      lost: this.#lost + this.open,
      refused: Object.fromEntries(refused),
      repeated: this.#repeated,
      latencyMs: this.#latencies.report(),
    };
  }
}

export interface OpenExchange {
  acknowledged(latencyMs: number, datagrams: number): void;
  refused(code: number, datagrams: number): void;
  lost(): void;
  /** It never left. */
  withdrawn(): void;
}
