/** Runs pieces of work one after the other, in the order they come. */
import { StorageUnavailableError } from "../collection.ts";

export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();
  #outages = 0;

  /**
   * A failure is its own only, but for an outage: what waited behind it fails with it. Each would wait as long again, and
   * nobody waits for the sum.
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    const outagesBefore = this.#outages;
    const turn = async (): Promise<T> => {
      if (this.#outages !== outagesBefore) throw new StorageUnavailableError("the write before this one found MongoDB gone");
      return work().catch((error: unknown) => {
        if (error instanceof StorageUnavailableError) this.#outages++;
        throw error;
      });
    };
    const result = this.#last.then(turn);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
