/** Idempotency-Key: a repeated request gets what the first one made, for a day (draft-ietf-httpapi-idempotency-key-header §2). */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";
import type { Problem } from "./problem.ts";
import type { Reply, RouteRequest } from "./route.ts";

export const idempotencyCollection: CollectionDefinition = {
  name: "idempotencyKeys",
  indexes: [{ name: "expiry", fields: ["expiresAt"] }],
};

interface KeptKey extends StoredDocument {
  /** Of the request; by a key of our own, so that a password in it cannot be guessed from what is stored. */
  readonly fingerprint: string;
  /** What the request makes has this id. */
  readonly madeId: string;
  readonly expiresAt: number;
}

export interface IdempotencyDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  /** The first makes fingerprints, all know them again. */
  readonly fingerprintKeys: readonly Uint8Array[];
}

/** A request that makes something. */
export interface Making<T> {
  /** The address, and what is asked for: the same key with something else is refused. */
  readonly about: readonly Json[];
  /** A key stands for the same id however often it comes; without a key each request has its own. */
  readonly newId: () => string;
  /** What an earlier request with the same key made. Without it `make` finds that out. */
  readonly find?: (id: string) => Promise<T | undefined>;
  readonly make: (id: string) => Promise<T | Refused>;
}

export interface Refused {
  readonly problem: Problem;
}

/** A reply that is no problem. */
export type MadeReply = Exclude<Reply, Refused>;

interface Claim {
  readonly id: string;
  /** By this request. */
  readonly isNew: boolean;
}

const keptMs = 86_400_000;
const sweepEveryMs = 3_600_000;

export class IdempotencyKeys {
  readonly #deps: IdempotencyDeps;
  readonly #keys: Collection<KeptKey>;
  #nextSweepAt = 0;

  constructor(deps: IdempotencyDeps) {
    this.#deps = deps;
    this.#keys = deps.store.collection<KeptKey>(idempotencyCollection);
  }

  /** Once for a key, however often and after whatever crash it comes. A request that is refused leaves its key free. */
  async once<T extends object>(
    { actor, idempotencyKey: key }: Pick<RouteRequest, "actor" | "idempotencyKey">,
    { about, newId, find, make }: Making<T>,
  ): Promise<T | Refused> {
    if (key === undefined) return make(newId());
    const claim = await this.#claim(actor, key, JSON.stringify(inOneOrder(about)), newId());
    if (claim === "mismatch")
      return { problem: { type: "idempotency-mismatch", detail: "this Idempotency-Key came with another request before" } };
    const { id, isNew } = claim;
    const before = isNew ? undefined : await find?.(id);
    if (before !== undefined) return before;
    const made = await make(id);
    if (!isRefused(made)) return made;
    if (isNew) {
      await this.#keys.deleteOne({ _id: idOf(actor, key) });
      return made;
    }
    // The first request may have come to its end meanwhile.
    return (await find?.(id)) ?? made;
  }

  async #claim(owner: string, key: string, request: string, proposedId: string): Promise<Claim | "mismatch"> {
    this.#sweepSometimes();
    const _id = idOf(owner, key);
    const [fingerprint = ""] = this.#fingerprints(request);
    const nowMs = this.#deps.clock.now();
    const outcome = await this.#keys.insertOne({ _id, fingerprint, madeId: proposedId, expiresAt: nowMs + keptMs });
    if (outcome.ok) return { id: proposedId, isNew: true };
    const kept = await this.#keys.findOne({ _id });
    if (kept === undefined || kept.expiresAt <= nowMs) {
      await this.#keys.deleteOne({ _id, expiresAt: { $lte: nowMs } });
      return this.#claim(owner, key, request, proposedId);
    }
    const isSame = this.#fingerprints(request).some((each) => isEqual(each, kept.fingerprint));
    return isSame ? { id: kept.madeId, isNew: false } : "mismatch";
  }

  #fingerprints(request: string): readonly string[] {
    return this.#deps.fingerprintKeys.map((key) => createHmac("sha256", key).update(request).digest("base64url"));
  }

  #sweepSometimes(): void {
    const nowMs = this.#deps.clock.now();
    if (nowMs < this.#nextSweepAt) return;
    this.#nextSweepAt = nowMs + sweepEveryMs;
    this.#deps.supervisor.run(this.#keys.deleteMany({ expiresAt: { $lte: nowMs } }), "remove old idempotency keys");
  }
}

export function isRefused(made: object): made is Refused {
  return "problem" in made;
}

function isEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function idOf(owner: string, key: string): string {
  return createHash("sha256")
    .update(JSON.stringify([owner, key]))
    .digest("base64url");
}

/** Members in one order, so that the same request written by another serializer is the same (RFC 8259 §4: objects are unordered). */
function inOneOrder(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(inOneOrder);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, inOneOrder(member)]));
}
