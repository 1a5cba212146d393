/** Carries out looks (`desired-machine.ts`): reads, decides, stores, and only then creates the writes, under the ids that were stored. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { findPath } from "@lwm2m/protocol/lwm2m/path";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { EventDraft } from "../events/event.ts";
import { draftEvents } from "../events/outbox.ts";
import type { CreateRefusal, Operation } from "../operations/operation.ts";
import type { OperationService } from "../operations/operation-service.ts";
import { withoutValue } from "../operations/unreadable-values.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { Json } from "../storage/collection.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import { type ConflictPolicy, type DesiredTwin, reportedAt, type Wish } from "./desired.ts";
import { isWanted, type Look, look, type TwinNews, type WriteAnswer } from "./desired-machine.ts";
import type { DesiredStore } from "./desired-store.ts";
import type { Twin } from "./twin.ts";

export interface DesiredLookDeps {
  readonly desired: DesiredStore;
  readonly twins: { find(endpoint: string): Promise<Twin | undefined> };
  readonly operations: Pick<OperationService, "create" | "find" | "cancel">;
  readonly registrations: Pick<Registrations, "findLast">;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly policy: ConflictPolicy;
  readonly owner: Pick<ProcessOwner, "isShared">;
  readonly secretsOf: (desired: DesiredTwin) => { readonly [path: string]: Json };
  /** After each stored change. */
  readonly onChanged: (desired: DesiredTwin) => void;
  readonly newId: () => string;
}

/** Decide, write, see the write open: more in one go is a race with others, which ends. */
const maxRounds = 20;
/** A wish does not expire; an operation does, and is made again. */
const writeExpiryMs = 365 * 86_400_000;
const withdrawn = "another value is desired, or none";

/** Answers that the same write would get again (LwM2M Core 1.1 §6.3.3, RFC 7252 §5.9.2). */
const finalCodes: ReadonlySet<string> = new Set(["4.00", "4.02", "4.04", "4.05", "4.06", "4.13", "4.15", "5.01"]);
/** What the device's model or version has not got. */
const finalReasons: ReadonlySet<string> = new Set([
  "path-not-in-model",
  "not-in-device-version",
  "operation-not-allowed",
  "value-type-mismatch",
  "device-unknown",
]);

export class DesiredLook {
  readonly #deps: DesiredLookDeps;

  constructor(deps: DesiredLookDeps) {
    this.#deps = deps;
  }

  /** Until nothing is to be done any more; what is desired then. Undefined: nothing is wished of the device. */
  async once(endpoint: string): Promise<DesiredTwin | undefined> {
    for (let round = 0; round < maxRounds; round += 1) {
      const desired = await this.#deps.desired.find(endpoint);
      if (desired === undefined || !(desired.watched || desired.edited)) return undefined;
      if (await this.#round(desired)) return desired;
    }
    throw new Error(`what is desired of ${endpoint} changed ${maxRounds} times during one look`);
  }

  /** True: what was decided is what was there. */
  async #round(desired: DesiredTwin): Promise<boolean> {
    const { registrations, twins, clock, policy, onChanged } = this.#deps;
    const endpoint = desired._id;
    const secrets = this.#deps.secretsOf(desired);
    const wishedAt = (path: string): Json => valueIn(desired, secrets, path);
    const answers = new Map<string, WriteAnswer>();
    for (const [path, id] of Object.entries(desired.writes)) answers.set(path, await this.#answer(desired, path, id, wishedAt));
    const last = await registrations.findLast(endpoint);
    // After the answers: what a write that succeeded has changed must not be taken for what the device said since.
    const known = (await twins.find(endpoint))?.values ?? {};
    const looked = look(desired, {
      nowMs: clock.now(),
      policy: desired.policy ?? policy,
      wishedAt,
      reportedOf: (path) => reportedAt(known, path, wishedAt(path)),
      answers,
      againstOf: (path) => againstOf(last, path),
      newId: this.#deps.newId,
    });
    if (!looked.changed && looked.wakeAt === desired.wakeAt && !desired.edited) return true;
    const changed = await this.#store(desired, looked);
    if (changed !== undefined) onChanged(changed);
    return false;
  }

  #store(desired: DesiredTwin, { state, news, followed, wakeAt }: Look): Promise<DesiredTwin | undefined> {
    const watched = Object.keys(state.wishes).length + Object.keys(state.writes).length > 0;
    const version = followed ? { version: desired.version + 1 } : {};
    return this.#deps.desired.change(desired, { ...state, ...version, watched, edited: false, wakeAt }, this.#events(desired, news));
  }

  /** What became of a write; one that is not there yet is made, one that is not wanted any more taken back. */
  async #answer(desired: DesiredTwin, path: string, id: string, wishedAt: (path: string) => Json): Promise<WriteAnswer> {
    const { operations } = this.#deps;
    const wish = desired.wishes[path];
    const found = await operations.find(id);
    if (found === undefined) {
      return wish?.state.kind === "pending" ? this.#create(desired._id, wish, { path, id, value: wishedAt(path) }) : { kind: "dropped" };
    }
    if (!found.open || (wish !== undefined && isWanted(wish, wishedAt(path), found.value ?? null))) return answerOf(found);
    if ((await operations.cancel(id, withdrawn)).ok) return { kind: "dropped" };
    // It has left, or is over by now.
    const later = await operations.find(id);
    return later === undefined ? { kind: "dropped" } : answerOf(later);
  }

  async #create(
    endpoint: string,
    { traceId, secret }: Wish,
    { path, id, value }: { readonly path: string; readonly id: string; readonly value: Json },
  ): Promise<WriteAnswer> {
    const { operations, clock, desired, owner } = this.#deps;
    const expiresAt = clock.now() + writeExpiryMs;
    const request = { kind: "write", path, value, supersedeKey: `desired:${path}`, expiresAt } as const;
    const outcome = await operations.create(endpoint, request, { actor: "twin", traceId, id });
    if (!outcome.ok) return refusedBefore(outcome.refusal, value, secret);
    if (owner.isShared && (await desired.find(endpoint))?.writes[path] !== id) {
      // Another process has seen that there was no such write, and given it up meanwhile.
      await operations.cancel(id, withdrawn);
      return { kind: "dropped" };
    }
    return answerOf(outcome.operation);
  }

  #events({ _id: endpoint, since, rev }: DesiredTwin, news: readonly TwinNews[]): readonly EventDraft[] {
    const model = deviceModel(this.#deps.registry, undefined);
    const timeMs = this.#deps.clock.now();
    const drafts = news.map((one) => {
      const { kind, secret, desired, path, ...facts } = one;
      const parsed = findPath(path);
      const name = parsed === undefined ? undefined : model.nameOf(parsed);
      const values = { ...(secret ? { secret } : { desired }), ...withoutUndefined(facts) };
      return {
        type: `twin.${kind}` as const,
        subject: endpoint,
        timeMs,
        data: { path, ...(name === undefined ? {} : { name }), ...values },
      };
    });
    return draftEvents(`desired/${endpoint}/${since}`, rev + 1, drafts);
  }
}

function valueIn({ wishes }: DesiredTwin, secrets: { readonly [path: string]: Json }, path: string): Json {
  const wish = wishes[path];
  return (wish?.secret === true ? secrets[path] : wish?.value) ?? null;
}

function answerOf({ open, status, reason, coapCode, detail, value = null }: Operation): WriteAnswer {
  if (open) return { kind: "open", value };
  switch (status) {
    case "succeeded":
      return { kind: "succeeded", value };
    case "cancelled":
      if (detail === withdrawn) return { kind: "dropped" };
      return { kind: "refused", value, reason: "cancelled", coapCode, detail, isFinal: true };
    case "failed": {
      const isFinal = coapCode !== null && reason === "device-rejected" ? finalCodes.has(coapCode) : finalReasons.has(reason ?? "");
      return { kind: "refused", value, reason: reason ?? status, coapCode, detail, isFinal };
    }
    default:
      return { kind: "dropped" };
  }
}

function refusedBefore(refusal: CreateRefusal, value: Json, isSecret: boolean): WriteAnswer {
  const { reason, detail } = isSecret ? withoutValue(refusal) : refusal;
  return { kind: "refused", value, reason, coapCode: null, detail, isFinal: finalReasons.has(reason) };
}

/** What a final refusal holds for: this registration, this version of the object, these instances. */
function againstOf(registration: Registration | undefined, path: string): string {
  const object = registration?.objects.find(({ id }) => id === findPath(path)?.objectId);
  return `${registration?.registeredAt ?? 0} ${object?.version ?? "none"} ${object?.instances.join(",") ?? ""}`;
}

function withoutUndefined(facts: { readonly [name: string]: Json | undefined }): { readonly [name: string]: Json } {
  return Object.fromEntries(Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
