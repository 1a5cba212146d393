/** Points by steps of time, for engines that cannot do it themselves: page after page, so that a long range costs no memory. */
import type { Json } from "./collection.ts";
import type { DownsampleQuery, TelemetryPoint, TelemetryStep, TelemetryStore } from "./store.ts";

/** Steps one call gives at most. */
const mostSteps = 10_000;
const pointsAtATime = 10_000;

/** Throws for what the port refuses. */
export function checkDownsample({ stepMs, limit }: DownsampleQuery): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > mostSteps) throw new Error(`steps of points: limit ${limit}`);
  if (!(stepMs > 0) || !Number.isFinite(stepMs)) throw new Error(`steps of points: ${stepMs} ms`);
}

export async function downsampleByPages(range: TelemetryStore["range"], query: DownsampleQuery): Promise<readonly TelemetryStep[]> {
  checkDownsample(query);
  const { endpoint, path, toMs, limit } = query;
  const steps: OpenStep[] = [];
  for (let fromMs = query.fromMs; ; ) {
    const points = await range({ endpoint, path, fromMs, toMs, limit: pointsAtATime });
    for (const point of points) {
      const index = Math.trunc((point.timeMs - query.fromMs) / query.stepMs);
      const current = steps.at(-1);
      if (current?.index === index) current.add(point);
      else if (steps.length === limit) return steps.map((step) => step.told(query));
      else steps.push(new OpenStep(index, point));
    }
    const last = points.at(-1);
    if (last === undefined || points.length < pointsAtATime) return steps.map((step) => step.told(query));
    fromMs = justAfter(last.timeMs);
  }
}

class OpenStep {
  readonly index: number;
  readonly #first: Json;
  #last: Json;
  #count = 0;
  #numbers = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;

  constructor(index: number, first: TelemetryPoint) {
    this.index = index;
    this.#first = first.value;
    this.#last = first.value;
    this.add(first);
  }

  add({ value }: TelemetryPoint): void {
    this.#count += 1;
    this.#last = value;
    if (typeof value !== "number") return;
    this.#numbers += 1;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#sum += value;
  }

  told({ fromMs, stepMs }: DownsampleQuery): TelemetryStep {
    const numbers = this.#numbers === 0 ? undefined : { count: this.#numbers, min: this.#min, max: this.#max, sum: this.#sum };
    return { fromMs: fromMs + this.index * stepMs, count: this.#count, first: this.#first, last: this.#last, numbers };
  }
}

/** The next number a double can be: times have fractions, and a page goes on behind the last point of the one before. */
export function justAfter(timeMs: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, timeMs === 0 ? 0 : timeMs);
  view.setBigUint64(0, view.getBigUint64(0) + (timeMs < 0 ? -1n : 1n));
  return view.getFloat64(0);
}
