import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { CommitPace } from "./commit-pace.ts";
import { aloneOperations, type StoreRequest } from "./requests.ts";

/** What has arrived at the storage worker and is not done, in order. */
export class WaitingRequests {
  readonly #port: MessagePort;
  #requests: readonly StoreRequest[] = [];
  #at = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** When nothing waits. The main thread's guard has checked the requests. */
  add(text: string): void {
    this.#requests = JSON.parse(text) as StoreRequest[];
    this.#at = 0;
  }

  next(): StoreRequest | undefined {
    while (this.#at === this.#requests.length) {
      const arrived = receiveMessageOnPort(this.#port) as { readonly message: string } | undefined;
      if (arrived === undefined) return undefined;
      this.add(arrived.message);
    }
    return this.#requests[this.#at];
  }

  /** The requests of one commit: all there are, those included that arrive meanwhile, until the pace says that it is enough. */
  *group(pace: CommitPace): Generator<StoreRequest> {
    for (let count = 0; ; count++) {
      const request = this.next();
      if (request === undefined || (count > 0 && (aloneOperations.has(request.op) || pace.isEnough()))) return;
      this.#at++;
      yield request;
      if (aloneOperations.has(request.op)) return;
    }
  }
}
