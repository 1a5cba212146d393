/** Known values as REST shows them: with their age, and with what is desired instead. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { contains, findPath, type Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { JsonSchema } from "../http/route.ts";
import { observedPaths } from "../observations/observation.ts";
import type { ObservationService } from "../observations/observation-service.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import { isJsonObject } from "../storage/json-object.ts";
import { type DesiredTwin, isSameValue, type Wish } from "./desired.ts";
import { isStale, type StaleContext, type Watching } from "./staleness.ts";
import type { KnownValue, Twin } from "./twin.ts";

export interface KnownValuesDeps {
  readonly observations: Pick<ObservationService, "list">;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  /** In place of the lifetime of a registration (`staleness.ts`). */
  readonly staleSeconds?: number | undefined;
}

export type JsonFields = { readonly [field: string]: Json };

export const instant: JsonSchema = { type: "string", format: "date-time" };

export const knownValueSchema: JsonSchema = {
  type: "object",
  required: ["path", "type", "value", "source", "observedAt", "receivedAt", "ageSeconds", "stale"],
  properties: {
    path: { type: "string" },
    name: { type: "string" },
    type: { type: "string" },
    value: {},
    source: { enum: ["read", "notify", "write", "send"] },
    observedAt: { ...instant, description: "when the device took it, or when it arrived" },
    receivedAt: instant,
    ageSeconds: { type: "integer", minimum: 0, description: "since observedAt" },
    stale: {
      type: "boolean",
      description:
        "the device is not registered, or has registered anew since; or it is older than the pmax of its observation, or, not observed, than the lifetime of the registration",
    },
    desired: { description: "the value that is wished for, where it is another" },
    pending: { const: true, description: "another value is desired: GET …/twin/diff says why the device has not got it" },
  },
};

/** More observations of one device than these are unheard of. */
const observationLimit = 1_000;

/** In order of their paths. */
export async function knownValues(
  deps: KnownValuesDeps,
  { endpoint, twin, desired, under }: KnownValuesQuery,
): Promise<readonly JsonFields[]> {
  const { registrations, registry } = deps;
  const [last, context] = await Promise.all([registrations.findLast(endpoint), staleContext(deps, endpoint)]);
  const model = deviceModel(registry, last);
  return Object.entries(twin?.values ?? {})
    .flatMap(([text, value]) => {
      const path = findPath(text);
      return path === undefined || (under !== undefined && !contains(under, path)) ? [] : [{ path, text, value }];
    })
    .sort((a, b) => comparePaths(a.text, b.text))
    .map(({ path, text, value }) => ({
      ...valueView(text, model.nameOf(path), value, context.nowMs),
      stale: isStale(path, value, context),
      ...desiredFields(desired, path, text, value),
    }));
}

export interface KnownValuesQuery {
  readonly endpoint: string;
  readonly twin: Twin | undefined;
  readonly desired: DesiredTwin | undefined;
  /** Without it all. */
  readonly under?: Lwm2mPath | undefined;
}

async function staleContext(
  { registrations, observations, clock, staleSeconds }: KnownValuesDeps,
  endpoint: string,
): Promise<StaleContext> {
  const [registration, observed] = await Promise.all([
    registrations.find(endpoint),
    observations.list({ endpoint, limit: observationLimit }),
  ]);
  const watching = observed.flatMap((observation): readonly Watching[] => {
    const pmax = (observation.inForce ?? observation.attributes)?.["pmax"];
    return observation.state === "active" ? [{ paths: observedPaths(observation), pmaxSeconds: pmax ?? undefined }] : [];
  });
  return { nowMs: clock.now(), registration, watching, staleSeconds };
}

function valueView(path: string, name: string | undefined, known: KnownValue, nowMs: number): JsonFields {
  const { type, value, source, observedAt, receivedAt } = known;
  return {
    path,
    ...(name === undefined ? {} : { name }),
    type,
    value,
    source,
    observedAt: formatInstant(observedAt),
    receivedAt: formatInstant(receivedAt),
    ageSeconds: Math.max(0, Math.floor((nowMs - observedAt) / 1_000)),
  };
}

/** Of an instance of a resource, what is wished of that instance: null when it shall go. */
function desiredFields(desired: DesiredTwin | undefined, { resourceInstanceId }: Lwm2mPath, text: string, known: KnownValue): JsonFields {
  const wish = desired?.wishes[resourceInstanceId === undefined ? text : text.slice(0, text.lastIndexOf("/"))];
  if (wish === undefined || wish.secret || isMet(wish)) return {};
  const instance = isJsonObject(wish.value) ? wish.value[String(resourceInstanceId)] : undefined;
  const wished = resourceInstanceId === undefined ? wish.value : (instance ?? null);
  return isSameValue(wish.type, wished, known.value) ? {} : { desired: wished, pending: true };
}

export function isMet({ state }: Wish): boolean {
  return state.kind === "held";
}

/** By number, part by part. */
export function comparePaths(a: string, b: string): number {
  const left = a.split("/").map(Number);
  const right = b.split("/").map(Number);
  for (let i = 1; i < Math.max(left.length, right.length); i += 1) {
    const order = (left[i] ?? -1) - (right[i] ?? -1);
    if (order !== 0) return order;
  }
  return 0;
}
