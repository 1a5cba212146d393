/** The main thread's end of the storage worker: gathers the requests of a turn into one message, hands answers to their askers. */
import { Worker } from "node:worker_threads";
import { StorageUnavailableError } from "./collection.ts";
import { SqlError } from "./drivers/driver.ts";
import type { Answer, RequestBatch, StoreRequest, WorkerMessage, WorkerSettings } from "./requests.ts";

interface Asker {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Opens the database in a new worker; rejects with `SqlError` (code 0 for what is no SQLite error). */
export async function openWorkerLink(settings: WorkerSettings): Promise<WorkerLink> {
  // The compiled worker: the compiler rewrites imports, not texts.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: settings });
  const opened = await new Promise<WorkerMessage>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  if (opened.kind === "refused") {
    await worker.terminate();
    throw new SqlError(opened.code, opened.message);
  }
  return new WorkerLink(worker);
}

export class WorkerLink {
  readonly #worker: Worker;
  readonly #askers = new Map<number, Asker>();
  #gathered: StoreRequest[] = [];
  #next = 0;
  #closed: StorageUnavailableError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.removeAllListeners("error");
    worker.on("message", (message: WorkerMessage) => this.#receive(message));
    worker.on("error", (error) => this.#fail(`the storage thread failed: ${error.message}`));
    worker.on("exit", () => this.#fail("the storage thread has ended"));
  }

  /** Rejects with `StorageUnavailableError`, or with an `Error` where the request is refused; a duplicate key is an answer. */
  async ask(request: StoreRequest): Promise<Extract<Answer, { ok: true } | { kind: "duplicate-key" }>> {
    const answer = await this.#post(request);
    if (answer.ok || answer.kind === "duplicate-key") return answer;
    if (answer.kind === "unavailable") throw new StorageUnavailableError(answer.message);
    throw new Error(answer.message);
  }

  /** Everything asked before is answered first. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    const last = this.#post({ op: "close" });
    this.#closed = new StorageUnavailableError("the store is closed");
    await last;
    await exited;
  }

  #post(request: StoreRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) {
        reject(this.#closed);
        return;
      }
      this.#askers.set(this.#next + this.#gathered.length, { resolve, reject });
      this.#gathered.push(request);
      if (this.#gathered.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const batch: RequestBatch = { first: this.#next, requests: JSON.stringify(this.#gathered) };
    this.#next += this.#gathered.length;
    this.#gathered = [];
    this.#worker.postMessage(batch);
  }

  #receive(message: WorkerMessage): void {
    if (message.kind !== "answers") return;
    for (const { first, answers } of message.batches) {
      for (const [position, answer] of answers.entries()) {
        const asker = this.#askers.get(first + position);
        this.#askers.delete(first + position);
        asker?.resolve(typeof answer === "string" ? { ok: true, text: answer } : answer);
      }
    }
  }

  #fail(reason: string): void {
    this.#closed ??= new StorageUnavailableError(reason);
    for (const asker of this.#askers.values()) asker.reject(new StorageUnavailableError(reason));
    this.#askers.clear();
  }
}
