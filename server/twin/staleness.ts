/**
 * When a known value is too old to rely on. Pure. It is, when the device is not registered or has registered anew since (it may have
 * restarted with other values); when it is observed with a pmax and none came within that and a tenth of it; when nobody observes it
 * and it is older than the lifetime of the registration, within which a device has to be heard from. What is observed without a pmax
 * changes when the device says so, and does not age.
 */
import { contains, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { Registration } from "../registration/registration.ts";
import type { KnownValue } from "./twin.ts";

export interface Watching {
  readonly paths: readonly CompositePath[];
  readonly pmaxSeconds: number | undefined;
}

export interface StaleContext {
  readonly nowMs: number;
  /** Undefined: not registered. */
  readonly registration: Pick<Registration, "registeredAt" | "lifetimeSeconds"> | undefined;
  /** Observations that live. */
  readonly watching: readonly Watching[];
  /** In place of the lifetime. */
  readonly staleSeconds: number | undefined;
}

/** The way of a notification, with its repetitions. */
const pmaxTolerance = 1.1;

export function isStale(path: Lwm2mPath, known: Pick<KnownValue, "receivedAt">, context: StaleContext): boolean {
  const { registration, nowMs } = context;
  if (registration === undefined || known.receivedAt < registration.registeredAt) return true;
  return nowMs - known.receivedAt > freshSeconds(path, registration, context) * 1_000;
}

function freshSeconds(
  path: Lwm2mPath,
  { lifetimeSeconds }: Pick<Registration, "lifetimeSeconds">,
  { watching, staleSeconds }: StaleContext,
): number {
  const own = watching.filter(({ paths }) => paths.some((outer) => outer === "/" || contains(outer, path)));
  if (own.length > 0) return Math.min(...own.map(({ pmaxSeconds }) => (pmaxSeconds ?? Number.POSITIVE_INFINITY) * pmaxTolerance));
  // Lifetime 0 never ends (object 1, resource 1).
  return staleSeconds ?? (lifetimeSeconds === 0 ? Number.POSITIVE_INFINITY : lifetimeSeconds);
}
