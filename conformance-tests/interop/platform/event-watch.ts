/** The event stream of a server, collected in the background so that a test can ask what came. */
import { eventually, patienceMs } from "./deadline.ts";
import type { RestClient, ServerEvent } from "./rest-client.ts";

export class EventWatch {
  readonly events: ServerEvent[] = [];
  readonly #abort = new AbortController();
  readonly #reading: Promise<void>;
  #failure: unknown;

  constructor(rest: RestClient, query = "") {
    this.#reading = this.#read(rest, query);
  }

  /** The first event, past or to come, that fits. */
  wait(what: string, fits: (event: ServerEvent) => boolean, timeoutMs = patienceMs): Promise<ServerEvent> {
    return eventually(what, timeoutMs, () => {
      if (this.#failure !== undefined) throw new Error(`the event stream ended: ${String(this.#failure)}`);
      return this.events.find(fits);
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }

  async #read(rest: RestClient, query: string): Promise<void> {
    try {
      for await (const event of rest.events(this.#abort.signal, query)) this.events.push(event);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failure = error;
    }
  }
}
