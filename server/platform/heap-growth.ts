import { constants, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** What is alive in a server of many devices, bytes; below, V8's own way costs little memory and less time. */
const largeHeapBytes = 64 * 1024 * 1024;

/**
 * V8 lets the heap grow to four times what is alive before it collects: a server with a million registrations would hold half a gigabyte of
 * nothing. Once much is alive, it collects at a quarter more.
 */
export function boundHeapGrowth(): void {
  let isBounded = false;
  new PerformanceObserver((list) => {
    if (!list.getEntries().some(isWhole)) return;
    const isLarge = getHeapStatistics().used_heap_size > largeHeapBytes;
    if (isLarge === isBounded) return;
    isBounded = isLarge;
    setFlagsFromString(`--heap-growing-percent=${isLarge ? 25 : 0}`);
  }).observe({ entryTypes: ["gc"] });
}

/** After a collection of the whole heap, what is used is alive. */
function isWhole(entry: PerformanceEntry): boolean {
  const detail: unknown = "detail" in entry ? entry.detail : undefined;
  return typeof detail === "object" && detail !== null && "kind" in detail && detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
