/** Before anything is allocated in earnest. */
import { setFlagsFromString } from "node:v8";

/**
 * V8 lets the heap grow to four times what is alive before it collects. A server with a million registrations would hold half a gigabyte of
 * nothing; collected at a quarter more, the garbage stays in bounds, and the collector works beside the main thread as before.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString("--heap-growing-percent=25");
}
