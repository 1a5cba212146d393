/** What a crash run amounts to: kills, and what was acknowledged, over all its stores. */
import { describeCounts, type LedgerCounts } from "./ledger.ts";

export class CrashTally {
  readonly #kills = new Map<string, number>();
  readonly #counts: LedgerCounts[] = [];

  noteKill(victim: string): void {
    this.#kills.set(victim, (this.#kills.get(victim) ?? 0) + 1);
  }

  /** Of one store. */
  add(counts: LedgerCounts): void {
    this.#counts.push(counts);
  }

  describe(): string {
    const kills = [...this.#kills].map(([victim, times]) => `${times} of ${victim}`).join(", ");
    return `kills: ${kills}; acknowledged over ${this.#counts.length} databases: ${describeCounts(this.#sum())}`;
  }

  #sum(): LedgerCounts {
    const sum = (pick: (counts: LedgerCounts) => number): number => this.#counts.reduce((total, counts) => total + pick(counts), 0);
    return {
      registrations: sum(({ registrations }) => registrations),
      updates: sum(({ updates }) => updates),
      operations: sum(({ operations }) => operations),
      endedOperations: sum(({ endedOperations }) => endedOperations),
      notifications: sum(({ notifications }) => notifications),
      sentValues: sum(({ sentValues }) => sentValues),
      firmwareUpdates: sum(({ firmwareUpdates }) => firmwareUpdates),
      endedFirmwareUpdates: sum(({ endedFirmwareUpdates }) => endedFirmwareUpdates),
      successfulFirmwareUpdates: sum(({ successfulFirmwareUpdates }) => successfulFirmwareUpdates),
    };
  }
}
