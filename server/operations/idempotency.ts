/** Idempotency-Key: a repeated request gets the operation of the first, for a day (draft-ietf-httpapi-idempotency-key-header §2). */
import { createHash } from "node:crypto";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Collection, CollectionDefinition, Json, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { Supervisor } from "../supervisor.ts";

export const idempotencyCollection: CollectionDefinition = {
  name: "idempotencyKeys",
  indexes: [{ name: "expiry", fields: ["expiresAt"] }],
};

interface KeptKey extends StoredDocument {
  /** Digest of the request. */
  readonly fingerprint: string;
  readonly operationId: string;
  readonly expiresAt: number;
}

const keptMs = 86_400_000;
const sweepEveryMs = 3_600_000;

export class IdempotencyKeys {
  readonly #keys: Collection<KeptKey>;
  readonly #clock: Clock;
  readonly #supervisor: Supervisor;
  #nextSweepAt = 0;

  constructor(store: Store, clock: Clock, supervisor: Supervisor) {
    this.#keys = store.collection<KeptKey>(idempotencyCollection);
    this.#clock = clock;
    this.#supervisor = supervisor;
  }

  /** The id the operation has to have: of the first request with this key, or the proposed one. `mismatch`: it was another request. */
  async claim(owner: string, key: string, request: Json, proposedId: string): Promise<string | "mismatch"> {
    this.#sweepSometimes();
    const _id = idOf(owner, key);
    const fingerprint = digest(JSON.stringify(request));
    const nowMs = this.#clock.now();
    const outcome = await this.#keys.insertOne({ _id, fingerprint, operationId: proposedId, expiresAt: nowMs + keptMs });
    if (outcome.ok) return proposedId;
    const kept = await this.#keys.findOne({ _id });
    if (kept === undefined || kept.expiresAt <= nowMs) {
      await this.#keys.deleteOne({ _id, expiresAt: { $lte: nowMs } });
      return this.claim(owner, key, request, proposedId);
    }
    return kept.fingerprint === fingerprint ? kept.operationId : "mismatch";
  }

  /** The request was refused: nothing was made, so the key may be used again. */
  async release(owner: string, key: string): Promise<void> {
    await this.#keys.deleteOne({ _id: idOf(owner, key) });
  }

  #sweepSometimes(): void {
    const nowMs = this.#clock.now();
    if (nowMs < this.#nextSweepAt) return;
    this.#nextSweepAt = nowMs + sweepEveryMs;
    this.#supervisor.run(this.#keys.deleteMany({ expiresAt: { $lte: nowMs } }), "remove old idempotency keys");
  }
}

function idOf(owner: string, key: string): string {
  return digest(JSON.stringify([owner, key]));
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
