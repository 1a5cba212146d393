/** The trace a request belongs to (W3C Trace Context §3.2): from `traceparent`, or a new one. */
import type { Random } from "@lwm2m/protocol/ports/random";

const traceIdBytes = 16;

/** 32 lower-case hex digits, never all zero. A malformed header counts as none (§3.2.2.3). */
export function traceIdOf(traceparent: string | undefined, random: Random): string {
  const found = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(traceparent ?? "");
  const [traceId, parentId] = [found?.[1], found?.[2]];
  if (traceId !== undefined && /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(parentId ?? "")) return traceId;
  return Buffer.from(random.bytes(traceIdBytes)).toString("hex");
}
