/** The main thread's side of the points. */
import type { Json } from "./collection.ts";
import type { TelemetryPoint, TelemetryStore } from "./store.ts";
import type { PointRow } from "./telemetry-table.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Points one `range` gives at most. */
const longestRange = 10_000;

export class EmbeddedTelemetry implements TelemetryStore {
  readonly #link: WorkerLink;

  constructor(link: WorkerLink) {
    this.#link = link;
  }

  async append(points: readonly TelemetryPoint[]): Promise<void> {
    if (points.length === 0) return;
    const rows = points.map(({ endpoint, path, timeMs, receivedMs, value }): PointRow => {
      if (!Number.isFinite(timeMs) || !Number.isFinite(receivedMs)) throw new Error(`point of ${path}: its time is no number`);
      return [endpoint, path, timeMs, receivedMs, JSON.stringify(value)];
    });
    await this.#link.ask({ op: "append", points: JSON.stringify(rows) });
  }

  async range(query: Parameters<TelemetryStore["range"]>[0]): Promise<readonly TelemetryPoint[]> {
    const { endpoint, path, fromMs, toMs, limit } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > longestRange) throw new Error(`range of points: limit ${limit}`);
    const answer = await this.#link.ask({ op: "range", endpoint, path, fromMs, toMs, limit });
    if (!answer.ok) throw new Error(`range of points: ${answer.index} cannot be a duplicate`);
    const rows = JSON.parse(answer.text) as readonly (readonly [number, number, Json])[];
    return rows.map(([timeMs, receivedMs, value]) => ({ endpoint, path, timeMs, receivedMs, value }));
  }
}
