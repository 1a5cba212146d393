/** The plan of a wake-up from what is stored: operations, the registration of their device, its link, what it refused before. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { type LinkFacts, parametersOf } from "../devices/link-profile.ts";
import { answerSizes, type KnownValues } from "../planning/answer-sizes.ts";
import type { AwakeWindow, MergedForm } from "../planning/waiting.ts";
import { type PlannedExchange, planWakeUp, withPostponements } from "../planning/wake-up-plan.ts";
import { type DeviceModel, deviceModel } from "../registration/device-model.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { DevicePaces } from "./device-pace.ts";
import type { FormatFallback } from "./format-fallback.ts";
import type { MergedMember } from "./merged-exchange.ts";
import type { CreateRefusal, Operation } from "./operation.ts";
import { planOperation } from "./plan-operation.ts";
import { withoutUnreadable, withoutValue } from "./unreadable-values.ts";
import { waitingOf } from "./waiting-operation.ts";

export interface PlannerDeps {
  readonly registrations: Pick<Registrations, "awakeWindow">;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly links: LinkFacts;
  readonly knownValues: KnownValuesOf;
  readonly mostTogether: number;
}

/** Last known values of a device, for the size of its answers. */
export type KnownValuesOf = (endpoint: string) => Promise<KnownValues | undefined>;

export interface PreparedWakeUp {
  readonly registration: Registration;
  /** Those that go, by id. */
  readonly members: ReadonlyMap<string, MergedMember>;
  readonly exchanges: readonly PlannedExchange[];
  readonly superseded: readonly { readonly operation: Operation; readonly by: string }[];
  /** Those that the device's present model refuses. */
  readonly unfit: readonly { readonly operation: Operation; readonly refusal: CreateRefusal }[];
}

const forms: readonly MergedForm[] = ["read", "readComposite", "writeInstance", "writeComposite"];
/** A device that named its formats and none of these has nothing to say several paths in. */
const compositeFormats: ReadonlySet<number> = new Set([
  ContentFormat.senmlJson,
  ContentFormat.senmlCbor,
  ContentFormat.senmlEtchJson,
  ContentFormat.senmlEtchCbor,
]);

export class WakeUpPlanner {
  readonly #deps: PlannerDeps;
  readonly #formats: FormatFallback;
  readonly #paces: DevicePaces;

  constructor(deps: PlannerDeps, formats: FormatFallback, paces: DevicePaces) {
    this.#deps = deps;
    this.#formats = formats;
    this.#paces = paces;
  }

  /** `operations`: queued and due. */
  async prepare(operations: readonly Operation[], registration: Registration): Promise<PreparedWakeUp> {
    const { registry, links, knownValues, mostTogether } = this.#deps;
    const endpoint = registration._id;
    const model = deviceModel(registry, registration);
    // One by itself goes as it is.
    const known = operations.length > 1 ? await knownValues(endpoint) : undefined;
    const { members, unfit } = fitting(operations, registration, model);
    const parameters = parametersOf(links.linkOf(endpoint));
    const sizes = answerSizes(known, registration.objects, model);
    const taken = new Set(forms.filter((form) => this.#takes(form, registration)));
    const context = { target: registration, model, sizes, forms: taken };
    const waiting = [...members.values()].map(({ operation, plan }) => waitingOf(operation, plan, context));
    const window = this.window(registration);
    const { superseded, exchanges } = planWakeUp(waiting, {
      forms: taken,
      mostTogether,
      blockSizeBytes: parameters.blockSizeBytes,
      roundTripMs: this.#paces.roundTripMs(endpoint) ?? parameters.ackTimeoutMs,
      ...(window === undefined ? {} : { window }),
      sizes,
    });
    return {
      registration,
      members,
      exchanges,
      superseded: superseded.flatMap(({ id, by }) => {
        const operation = members.get(id)?.operation;
        return operation === undefined ? [] : [{ operation, by }];
      }),
      unfit,
    };
  }

  /** Those of the exchanges that may be made now have no postponement. */
  asOfNow(exchanges: readonly PlannedExchange[], registration: Registration): readonly PlannedExchange[] {
    return withPostponements(exchanges, this.window(registration));
  }

  /** Undefined for a device that never sleeps. */
  window(registration: Registration): (AwakeWindow & { readonly since: number; readonly lastAt: number }) | undefined {
    if (!registration.queueMode) return undefined;
    const { registrations, links, clock } = this.#deps;
    const endpoint = registration._id;
    const nowMs = clock.now();
    const lengthMs = links.awakeWindowMs(endpoint);
    const { since, until } = registrations.awakeWindow(endpoint) ?? { since: 0, until: nowMs + lengthMs };
    const { exchanges, bytes, lastAt } = this.#paces.spent(endpoint, since, lengthMs, nowMs);
    const { wakeUpBytes } = links.linkOf(endpoint);
    const budget = wakeUpBytes === undefined ? {} : { budgetBytes: wakeUpBytes };
    return { lengthMs, restMs: until - nowMs, exchanges, bytes, ...budget, since, lastAt };
  }

  #takes(form: MergedForm, registration: Registration): boolean {
    const { contentFormats } = registration;
    const isComposite = form === "readComposite" || form === "writeComposite";
    if (isComposite && contentFormats.length > 0 && !contentFormats.some((format) => compositeFormats.has(format))) return false;
    return this.#formats.takesTogether(form, registration);
  }
}

function fitting(
  operations: readonly Operation[],
  registration: Registration,
  model: DeviceModel,
): Pick<PreparedWakeUp, "members" | "unfit"> {
  const members = new Map<string, MergedMember>();
  const unfit: { readonly operation: Operation; readonly refusal: CreateRefusal }[] = [];
  for (const operation of operations) {
    const planned = planOperation(operation, registration, model);
    if (planned.ok) members.set(operation._id, { operation, plan: planned.plan });
    else unfit.push({ operation, refusal: withoutUnreadable(operation, model).hides ? withoutValue(planned.refusal) : planned.refusal });
  }
  return { members, unfit };
}
