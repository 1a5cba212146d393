/** The main thread's end of the storage worker: gathers the requests of a turn into one message, hands answers to their askers. */
import { Worker } from "node:worker_threads";
import { nextTurn } from "../platform/next-turn.ts";
import { StorageUnavailableError } from "./collection.ts";
import { SqlError } from "./drivers/driver.ts";
import { type Failure, type StoreRequest, usualTexts, type WorkerMessage, type WorkerSettings } from "./requests.ts";
import type { SchemaChange } from "./schema-steps.ts";

interface Asker {
  readonly succeed: (text: string) => void;
  readonly fail: (failure: Failure) => void;
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
  if (opened.kind !== "open") throw new Error("the storage thread answered before it was open");
  return new WorkerLink(worker, opened.schema);
}

/** With one answer worth 0.1 to 0.3 ms of its asker's work, a turn of the event loop takes 1 or 2 ms. */
const answersPerTurn = 8;

export class WorkerLink {
  readonly schema: SchemaChange;
  readonly #worker: Worker;
  /** Of what was sent or gathered, in order, which is the order of the answers. */
  readonly #askers = new Fifo<Asker>();
  #gathered: StoreRequest[] = [];
  /** Arrived and not handed out. */
  readonly #answered = new Fifo<string | number | Failure>();
  #isHandingOut = false;
  #closed: StorageUnavailableError | undefined;

  constructor(worker: Worker, schema: SchemaChange) {
    this.schema = schema;
    this.#worker = worker;
    worker.removeAllListeners("error");
    worker.on("message", (message: WorkerMessage) => this.#receive(message));
    worker.on("error", (error) => this.#fail(`the storage thread failed: ${error.message}`));
    worker.on("exit", () => this.#fail("the storage thread has ended"));
  }

  /**
   * Resolves with what `read` makes of the answer's text. Rejects with `StorageUnavailableError`, with an `Error` where the request is refused,
   * with what `build` throws. One promise per request: this is the way of every write.
   */
  ask<T>(build: () => StoreRequest, read: (text: string) => T, onDuplicate: (index: string) => T = refuseDuplicate): Promise<T> {
    return new Promise((resolve, reject) => {
      const request = build();
      if (this.#closed !== undefined) throw this.#closed;
      this.#post(request, {
        succeed: (text) => resolve(read(text)),
        fail: (failure) => {
          if (failure.kind === "duplicate-key") resolve(onDuplicate(failure.index));
          else reject(failure.kind === "unavailable" ? new StorageUnavailableError(failure.message) : new Error(failure.message));
        },
        reject,
      });
    });
  }

  /** Everything asked before is answered first. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    const exited = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    const last = this.ask(
      () => ({ op: "close" }),
      () => undefined,
    );
    this.#closed = new StorageUnavailableError("the store is closed");
    await last;
    await exited;
  }

  #post(request: StoreRequest, asker: Asker): void {
    this.#askers.push(asker);
    this.#gathered.push(request);
    if (this.#gathered.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const text = JSON.stringify(this.#gathered);
    this.#gathered = [];
    this.#worker.postMessage(text);
  }

  #receive(message: WorkerMessage): void {
    if (message.kind !== "answers") return;
    for (const answer of message.answers) this.#answered.push(answer);
    if (!this.#isHandingOut) this.#handOut();
  }

  /** A part of what was answered, the rest in the next turns: what the askers do with hundreds of answers would keep everything else waiting. */
  #handOut(): void {
    this.#isHandingOut = this.#settleAnswered(answersPerTurn);
    if (this.#isHandingOut) nextTurn(() => this.#handOut());
  }

  /** At most so many answers; whether there may be more. */
  #settleAnswered(most: number): boolean {
    for (let settled = 0; settled < most; settled += 1) {
      const answer = this.#answered.take();
      if (answer === undefined) return false;
      this.#settle(this.#askers.take(), answer);
    }
    return true;
  }

  #settle(asker: Asker | undefined, answer: string | number | Failure): void {
    if (asker === undefined) throw new Error("the storage thread answered what nobody asked");
    try {
      if (typeof answer === "string") asker.succeed(answer);
      else if (typeof answer === "number") asker.succeed(usualTexts[answer] ?? "");
      else asker.fail(answer);
    } catch (error) {
      asker.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(reason: string): void {
    this.#closed ??= new StorageUnavailableError(reason);
    // What was answered before has happened.
    this.#settleAnswered(Number.POSITIVE_INFINITY);
    for (let asker = this.#askers.take(); asker !== undefined; asker = this.#askers.take())
      asker.reject(new StorageUnavailableError(reason));
  }
}

function refuseDuplicate(index: string): never {
  throw new Error(`a duplicate of ${index} where none can be`);
}

/** First in, first out, without moving the rest at every taking. */
class Fifo<T> {
  #entering: T[] = [];
  #leaving: T[] = [];

  push(item: T): void {
    this.#entering.push(item);
  }

  take(): T | undefined {
    if (this.#leaving.length === 0) {
      this.#leaving = this.#entering.reverse();
      this.#entering = [];
    }
    return this.#leaving.pop();
  }
}
