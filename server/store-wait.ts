/** Waiting for a store that is away while the server starts: pauses that grow, and meanwhile a door that says why the server is not ready. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Log } from "./log.ts";
import { StartAbandoned } from "./start-error.ts";
import type { StorageUnavailableError } from "./storage/collection.ts";

export interface StoreWaitDeps {
  readonly log: Log;
  readonly clock: Clock;
  /** Ends the waiting. */
  readonly stopAsked?: Promise<unknown>;
  /** Opens what tells the world meanwhile that the server is not ready. */
  readonly openWaitingDoor: (reason: string) => Promise<{ close(): Promise<void> }>;
}

/** Between two tries: a second at first, then twice as long each time. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

export class StoreWait {
  readonly #deps: StoreWaitDeps;
  #pauseMs = firstPauseMs;
  #door: { close(): Promise<void> } | undefined;

  constructor(deps: StoreWaitDeps) {
    this.#deps = deps;
  }

  /** Resolves when it is time to try again; rejects with `StartAbandoned` when the server is stopped meanwhile. */
  async pause(what: string, { message }: StorageUnavailableError): Promise<void> {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    this.#deps.log.warn(`${what}, the server waits for it`, { detail: message, nextTryMs: pauseMs });
    this.#door ??= await this.#deps.openWaitingDoor("the store cannot be reached");
    await this.#pass(pauseMs);
  }

  /** The store is there: the doors may open. */
  async end(): Promise<void> {
    const door = this.#door;
    this.#door = undefined;
    if (door !== undefined) this.#deps.log.info("the store is there");
    await door?.close();
  }

  /** Closes what is open, however the start went. */
  async close(): Promise<void> {
    await this.#door?.close();
    this.#door = undefined;
  }

  async #pass(delayMs: number): Promise<void> {
    const { clock, stopAsked } = this.#deps;
    let cancel = (): void => {};
    const passed = new Promise<"passed">((resolve) => {
      const timer = clock.after(delayMs, () => resolve("passed"));
      cancel = () => timer.cancel();
    });
    const first = stopAsked === undefined ? await passed : await Promise.race([passed, stopAsked]);
    cancel();
    if (first !== "passed") throw new StartAbandoned("stopped while it waited for the store");
  }
}
