/** Bytes of the JavaScript heap and of its buffers after a full collection: what is really held, for runs that look for leaks. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

export function settledHeapBytes(): number {
  collect ??= exposedCollector();
  // What a first collection finalizes, a second one frees.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collector: unknown = runInNewContext("gc");
  if (typeof collector !== "function") throw new Error("this engine does not expose its collector");
  return () => void collector();
}
