/** "Act only after the reply has left": what serving a request sets off waits until its answer is handed to the socket. */
import type { Clock } from "@lwm2m/protocol/ports/clock";

export class AfterReply {
  readonly #clock: Clock;
  #closed = false;
  /** Undefined: no request is being served. */
  #waiting: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** At once outside of a request. */
  run(action: () => void): void {
    if (this.#waiting === undefined) action();
    else this.#waiting.push(action);
  }

  /** Actions that come up during `answer` run once its result has been sent. */
  during<T>(answer: () => T): T {
    const waiting: (() => void)[] = [];
    this.#waiting = waiting;
    try {
      return answer();
    } finally {
      this.#waiting = undefined;
      if (waiting.length > 0) {
        this.#clock.after(0, () => {
          for (const action of waiting) if (!this.#closed) action();
        });
      }
    }
  }

  close(): void {
    this.#closed = true;
  }
}
