/** Every call to the server goes through here: counted, bounded, its failure translated. */
import { StorageUnavailableError } from "../collection.ts";
import { portError } from "./mongo-failure.ts";

/** Calls under way and waiting for a connection; beyond it the store is said to be unavailable at once. Each holds its documents. */
const callsAtOnce = 10_000;

export class MongoLink {
  #underWay = 0;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  /** Rejects with `StorageUnavailableError`, with a duplicate key error of the driver, or with an `Error` where the request is refused. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StorageUnavailableError("the store is closed");
    if (this.#underWay >= callsAtOnce) throw new StorageUnavailableError(`${callsAtOnce} calls wait for MongoDB already`);
    this.#underWay++;
    try {
      return await work();
    } catch (error) {
      throw portError(error);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#onIdle?.();
    }
  }

  /** Calls that have not been answered. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Everything asked before is answered first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }
}
