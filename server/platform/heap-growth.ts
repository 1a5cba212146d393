import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/**
 * How much the heap may grow, in percent of what is alive, before all of it is collected: below the first row V8's own way, which costs little
 * memory and less time. A collection stops everything for tens of milliseconds, so ten thousand devices get room for many seconds of work.
 */
const growth: readonly { readonly aliveBytes: number; readonly percent: number }[] = [
  { aliveBytes: 128 * 1024 * 1024, percent: 20 },
  { aliveBytes: 64 * 1024 * 1024, percent: 100 },
];

/**
 * V8 lets the heap grow to four times what is alive before it collects: a server with a million registrations would hold half a gigabyte of
 * nothing.
 */
export function boundHeapGrowth(): void {
  let bound = 0;
  new PerformanceObserver((list) => {
    if (!list.getEntries().some(isWhole)) return;
    const alive = getHeapStatistics().used_heap_size;
    const { percent = 0 } = growth.find(({ aliveBytes }) => alive > aliveBytes) ?? {};
    if (percent === bound) return;
    bound = percent;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  }).observe({ entryTypes: ["gc"] });
}

/** After a collection of the whole heap, what is used is alive. */
function isWhole(entry: PerformanceEntry): boolean {
  const detail: unknown = "detail" in entry ? entry.detail : undefined;
  return typeof detail === "object" && detail !== null && "kind" in detail && detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
