/** What was opened, closed in reverse; a failure is logged and the rest still closed. */
import type { Log } from "./log.ts";

export class Closers {
  readonly #log: Log;
  readonly #opened: { readonly what: string; readonly close: () => Promise<void> }[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(what: string, close: () => Promise<void>): void {
    this.#opened.push({ what, close });
  }

  async close(): Promise<void> {
    for (let next = this.#opened.pop(); next !== undefined; next = this.#opened.pop()) {
      try {
        await next.close();
      } catch (error) {
        this.#log.error("did not close cleanly", { what: next.what, error });
      }
    }
  }
}
