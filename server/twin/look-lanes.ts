/** Looks at what is desired, one at a time for a device: whoever asks while one is made has another made after it. */
import type { Supervisor } from "../supervisor.ts";
import type { DesiredLook } from "./desired-look.ts";
import type { WatchedWishes } from "./watched-wishes.ts";

export interface LookLanesDeps {
  readonly look: DesiredLook;
  readonly watched: WatchedWishes;
  readonly supervisor: Supervisor;
}

interface Looking {
  /** Something may have changed since the store was last read. */
  again: boolean;
  done: Promise<void>;
}

export class LookLanes {
  readonly #deps: LookLanesDeps;
  readonly #looks = new Map<string, Looking>();
  #closed = false;

  constructor(deps: LookLanesDeps) {
    this.#deps = deps;
  }

  soon(endpoint: string): void {
    if (!this.#closed) this.#deps.supervisor.run(this.now(endpoint), `look at what is desired of ${endpoint}`);
  }

  /** What is wished is durable: whatever comes of the look, the next one goes on from there. Never rejects. */
  async within(endpoint: string): Promise<void> {
    if (this.#closed) return;
    const looked = this.now(endpoint);
    this.#deps.supervisor.run(looked, `look at what is desired of ${endpoint}`);
    await looked.catch(() => {});
  }

  now(endpoint: string): Promise<void> {
    const under = this.#looks.get(endpoint);
    if (under !== undefined) {
      under.again = true;
      return under.done;
    }
    const looking: Looking = { again: true, done: Promise.resolve() };
    this.#looks.set(endpoint, looking);
    looking.done = this.#lookUntilDone(endpoint, looking);
    return looking.done;
  }

  /** Resolves when none is made of the device. */
  async settled(endpoint: string): Promise<void> {
    await this.#looks.get(endpoint)?.done.catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#looks.size > 0) await Promise.allSettled([...this.#looks.values()].map(({ done }) => done));
  }

  async #lookUntilDone(endpoint: string, looking: Looking): Promise<void> {
    const { look, watched } = this.#deps;
    try {
      while (looking.again && !this.#closed) {
        looking.again = false;
        const desired = await look.once(endpoint);
        if (desired === undefined) watched.forget(endpoint);
        else watched.noteSeen(desired);
      }
    } catch (error) {
      watched.noteUnseen(endpoint);
      throw error;
    } finally {
      // In the same turn as the last check of `again`, so that nobody's wish for another look is missed.
      this.#looks.delete(endpoint);
    }
  }
}
