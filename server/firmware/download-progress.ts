/** How far devices have fetched their packages: stored now and then, and told when the last block is out. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { FirmwareUpdate } from "./update.ts";

export interface DownloadProgressDeps {
  readonly clock: Clock;
  /** False: the update is over. */
  readonly store: (id: string, servedBytes: number, servedAt: number) => Promise<boolean>;
  /** The device has had time to digest the last block. */
  readonly onComplete: (id: string) => void;
  readonly supervisor: { run(work: Promise<unknown>, what: string): void };
}

/** Progress of a download is stored at most this often (milliseconds). */
const storedEveryMs = 5_000;
/** After the last block the device digests the package before it reports State 2 (milliseconds). */
const digestPauseMs = 300;

interface Progress {
  storedAt: number;
  /** The last block was stored as served: its repetitions are no news. */
  isComplete: boolean;
  timer: Timer | undefined;
}

export class DownloadProgress {
  readonly #deps: DownloadProgressDeps;
  readonly #byUpdate = new Map<string, Progress>();
  #closed = false;

  constructor(deps: DownloadProgressDeps) {
    this.#deps = deps;
  }

  note({ _id, sizeBytes }: Pick<FirmwareUpdate, "_id" | "sizeBytes">, servedBytes: number): void {
    if (this.#closed) return;
    const nowMs = this.#deps.clock.now();
    const isLast = servedBytes >= sizeBytes;
    const before = this.#byUpdate.get(_id);
    const isNews = before === undefined || nowMs - before.storedAt >= storedEveryMs || (isLast && !before.isComplete);
    if (!isNews) return;
    before?.timer?.cancel();
    const timer = isLast ? this.#deps.clock.after(digestPauseMs, () => this.#deps.onComplete(_id)) : undefined;
    this.#byUpdate.set(_id, { storedAt: nowMs, isComplete: isLast, timer });
    this.#deps.supervisor.run(this.#store(_id, servedBytes, nowMs), `progress of firmware update ${_id}`);
  }

  /** The update is over. */
  forget(id: string): void {
    this.#byUpdate.get(id)?.timer?.cancel();
    this.#byUpdate.delete(id);
  }

  close(): void {
    this.#closed = true;
    for (const id of [...this.#byUpdate.keys()]) this.forget(id);
  }

  async #store(id: string, servedBytes: number, servedAt: number): Promise<void> {
    if (!(await this.#deps.store(id, servedBytes, servedAt))) this.forget(id);
  }
}
