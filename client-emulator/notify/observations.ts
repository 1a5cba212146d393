/** The relations this device serves: when the tree changes, the notification machine of each decides what leaves. */
import type { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse, ServedObservation } from "@lwm2m/protocol/coap/message";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { readComposite, touches } from "../tree/composite.ts";
import type { ObjectTree, TreeChange } from "../tree/object-tree.ts";
import { numberAt, type ReadOutcome, read } from "../tree/read.ts";
import { type Conditions, observed, type RelationEvent, type RelationState, step } from "./notification-machine.ts";

export interface ObservationOptions {
  readonly tree: ObjectTree;
  readonly clock: Clock;
  readonly conditionsOf: (target: readonly CompositePath[]) => Conditions;
  /** The representation a relation was granted with. */
  readonly respond: (target: readonly CompositePath[], values: readonly PathValue[], contentFormat: number) => OutgoingResponse;
  /** The attribute `con` of the target; undefined: every n-th notification is confirmable. */
  readonly confirms: (target: readonly CompositePath[]) => boolean | undefined;
  /** False while the device sleeps: what would be sent is kept. */
  readonly canSend: () => boolean;
  /** /1/x/6: keep what happens while offline (true), or only the last value. */
  readonly stores: () => boolean;
  /** Formats that carry a time for each value, so that kept samples leave in one notification. */
  readonly carriesTime: (contentFormat: number) => boolean;
  /** Every n-th notification is confirmable; 1: all of them. */
  readonly confirmEvery: number;
  readonly log: (message: string) => void;
}

interface Relation {
  readonly served: ServedObservation;
  /** One path, or the list of a composite observation. */
  readonly target: readonly CompositePath[];
  readonly contentFormat: number;
  state: RelationState;
  timer: Timer | undefined;
  sent: number;
  confirmedAt: number;
  inFlight: boolean;
  /** Samples that wait: the device slept, or the one before is not through. Oldest first. */
  waiting: (readonly PathValue[])[];
}

/** A confirmable notification at least this often tells whether the observer is still there (RFC 7641 §4.5). */
const longestUnconfirmedMs = 86_400_000;
/** Samples kept per relation while offline; the oldest make room. */
const mostWaiting = 100;

export class Observations {
  readonly #options: ObservationOptions;
  readonly #relations = new Set<Relation>();

  #sent = 0;

  constructor(options: ObservationOptions) {
    this.#options = options;
  }

  /** Notifications since the start. */
  get sent(): number {
    return this.#sent;
  }

  get size(): number {
    return this.#relations.size;
  }

  /** `values` is what the Observe was answered with. */
  accept(served: ServedObservation, target: readonly CompositePath[], contentFormat: number, values: readonly PathValue[]): void {
    const now = this.#options.clock.now();
    const state = observed(numberAt(values), now);
    const relation: Relation = {
      served,
      target,
      contentFormat,
      state,
      timer: undefined,
      sent: 0,
      confirmedAt: now,
      inFlight: false,
      waiting: [],
    };
    this.#relations.add(relation);
    served.onEnd(() => this.#forget(relation));
    this.#step(relation, { kind: "evaluate" });
  }

  treeChanged(change: TreeChange): void {
    for (const relation of [...this.#relations]) {
      if (!change.paths.some((path) => touches(relation.target, path))) continue;
      const outcome = this.#read(relation);
      if (outcome.ok) this.#step(relation, { kind: "changed", number: numberAt(outcome.values) });
      else this.#end(relation, outcome.code);
    }
  }

  /** After Write-Attributes, or a write to the default periods of /1. */
  conditionsChanged(): void {
    for (const relation of [...this.#relations]) this.#step(relation, { kind: "evaluate" });
  }

  /** The device woke up: what was kept leaves now. */
  flush(): void {
    for (const relation of this.#relations) this.#sendWaiting(relation);
  }

  /** A new registration: the server holds none of these any more (LwM2M Core 1.1 §6.2). */
  clear(): void {
    for (const relation of [...this.#relations]) {
      this.#forget(relation);
      relation.served.close();
    }
  }

  get inFlight(): boolean {
    return [...this.#relations].some((relation) => relation.inFlight);
  }

  #step(relation: Relation, event: RelationEvent): void {
    const { clock, conditionsOf } = this.#options;
    const now = clock.now();
    const { state, notify, evaluateAt } = step(relation.state, event, withoutLongSilence(conditionsOf(relation.target)), now);
    relation.state = state;
    relation.timer?.cancel();
    relation.timer =
      evaluateAt === undefined ? undefined : clock.after(Math.max(0, evaluateAt - now), () => this.#step(relation, { kind: "evaluate" }));
    if (notify) this.#notify(relation);
  }

  #notify(relation: Relation): void {
    const { canSend, stores, clock } = this.#options;
    const outcome = this.#read(relation);
    if (!outcome.ok) {
      this.#end(relation, outcome.code);
      return;
    }
    const timeMs = clock.now();
    const held = !canSend() || relation.inFlight;
    // Only samples that wait need a time of their own: the others are as old as their message.
    const sample = held ? outcome.values.map((value) => ({ ...value, timeMs })) : outcome.values;
    const keepsHistory = !canSend() && stores();
    relation.waiting = keepsHistory ? [...relation.waiting, sample].slice(-mostWaiting) : [sample];
    if (!held) this.#sendWaiting(relation);
  }

  /** A single target that is gone ends its observation; a composite one goes on with what is left (LwM2M Core 1.1 §6.4.3). */
  #read({ target }: Relation): ReadOutcome {
    const { tree } = this.#options;
    const [only] = target;
    if (target.length === 1 && only !== undefined && only !== "/") return read(tree, only);
    return { ok: true, values: readComposite(tree, target) };
  }

  #sendWaiting(relation: Relation): void {
    const { canSend, carriesTime, respond } = this.#options;
    if (relation.inFlight || relation.waiting.length === 0 || !canSend()) return;
    const together = carriesTime(relation.contentFormat) ? relation.waiting.flat() : (relation.waiting[0] ?? []);
    relation.waiting = carriesTime(relation.contentFormat) ? [] : relation.waiting.slice(1);
    this.#send(relation, respond(relation.target, together, relation.contentFormat));
  }

  #send(relation: Relation, response: OutgoingResponse): void {
    const { clock, confirmEvery, confirms, log } = this.#options;
    relation.sent += 1;
    this.#sent += 1;
    const due = clock.now() - relation.confirmedAt >= longestUnconfirmedMs;
    const confirmable = due || (confirms(relation.target) ?? relation.sent % confirmEvery === 0);
    if (confirmable) relation.confirmedAt = clock.now();
    relation.inFlight = true;
    void relation.served.notify(response, confirmable).then((outcome) => {
      relation.inFlight = false;
      if (!outcome.ok) {
        log(`notification not delivered: ${outcome.reason}`);
        this.#forget(relation);
      } else if (this.#relations.has(relation)) this.#sendWaiting(relation);
    });
  }

  /** The target is gone: the server learns it from the code, and the relation is over (RFC 7641 §4.2). */
  #end(relation: Relation, code: ResponseCode): void {
    this.#forget(relation);
    void relation.served.notify({ code }, true);
  }

  #forget(relation: Relation): void {
    relation.timer?.cancel();
    this.#relations.delete(relation);
  }
}

/** Where nothing changes for a day, the value is told all the same: it is confirmed, and both sides know that the relation is there. */
function withoutLongSilence(conditions: Conditions): Conditions {
  const { pminMs, pmaxMs = 0 } = conditions;
  const isInForce = pmaxMs > 0 && pmaxMs >= pminMs;
  return { ...conditions, pmaxMs: Math.max(pminMs, Math.min(isInForce ? pmaxMs : longestUnconfirmedMs, longestUnconfirmedMs)) };
}
