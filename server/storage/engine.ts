/** Executes batches of requests on SQLite: one transaction per batch, each request failing on its own. */
import type { CollectionDefinition } from "./collection.ts";
import { CollectionTable, DuplicateInTableError } from "./collection-table.ts";
import { type SqlDriver, SqlError, sqlCodes } from "./drivers/driver.ts";
import { foreignKeys } from "./key-check.ts";
import { RecentTexts } from "./recent-texts.ts";
import { type Answer, aloneOperations, type StoreRequest, type WriteRequest } from "./requests.ts";
import { TelemetryTable } from "./telemetry-table.ts";
import { UpdateRefusedError } from "./updater.ts";

/** These say that the engine cannot work, not that a request is wrong. */
const engineFailures: ReadonlySet<number> = new Set([
  ...[sqlCodes.permission, sqlCodes.busy, sqlCodes.locked, sqlCodes.outOfMemory, sqlCodes.readOnly, sqlCodes.inputOutput],
  ...[sqlCodes.corrupt, sqlCodes.full, sqlCodes.cannotOpen, sqlCodes.notADatabase],
]);

const readingOperations: ReadonlySet<string> = new Set([
  "find",
  "count",
  "range",
  "downsample",
  "series",
  "points",
  "verify",
  ...aloneOperations,
]);

export class Engine {
  readonly #driver: SqlDriver;
  readonly #definitions: readonly CollectionDefinition[];
  readonly #tables: ReadonlyMap<string, CollectionTable>;
  readonly #telemetry: TelemetryTable;
  readonly #recent = new RecentTexts();
  #probes = 0;

  constructor(driver: SqlDriver, definitions: readonly CollectionDefinition[]) {
    this.#driver = driver;
    this.#definitions = definitions;
    this.#tables = new Map(definitions.map((definition) => [definition.name, new CollectionTable(driver, definition, this.#recent)]));
    this.#telemetry = new TelemetryTable(driver);
  }

  /**
   * The answers are durable when this returns: it commits once, after the last request, through `commit`, which calls its argument.
   * An operation of `aloneOperations` is given alone.
   */
  execute(requests: Iterable<StoreRequest>, commit: (flush: () => void) => void = (flush) => flush()): readonly Answer[] {
    const answers: Answer[] = [];
    let taken = 0;
    let writing = false;
    try {
      for (const request of requests) {
        taken++;
        if (!writing && !readingOperations.has(request.op)) {
          this.#driver.exec("BEGIN IMMEDIATE");
          writing = true;
        }
        answers.push(this.#answer(request));
      }
      if (writing) commit(() => this.#driver.exec("COMMIT"));
      return answers;
    } catch (error) {
      // The engine failed in the middle: nothing of this commit is promised to anybody.
      this.#rollBack();
      const message = error instanceof Error ? error.message : String(error);
      return Array.from({ length: taken }, () => ({ ok: false, kind: "unavailable", message }));
    }
  }

  #rollBack(): void {
    this.#telemetry.forget();
    this.#recent.clear();
    try {
      this.#driver.exec("ROLLBACK");
    } catch {
      // SQLite has already rolled back by itself, as it does when the disk is full.
    }
  }

  #answer(request: StoreRequest): Answer {
    try {
      return { ok: true, text: this.#run(request) };
    } catch (error) {
      if (error instanceof DuplicateInTableError) return { ok: false, kind: "duplicate-key", index: error.index };
      if (error instanceof SqlError && engineFailures.has(error.code)) throw error;
      return { ok: false, kind: "refused", message: error instanceof Error ? error.message : String(error) };
    }
  }

  #run(request: StoreRequest): string {
    switch (request.op) {
      case "find":
        return `[${this.#table(request.collection).find(request).join()}]`;
      case "count":
        return String(this.#table(request.collection).count(request.filter, request.cap));
      case "insert":
      case "update":
      case "delete":
        return this.#write(request);
      case "bulk":
        return this.#bulk(request.writes);
      case "append":
        this.#telemetry.append(request.points);
        return "null";
      case "range":
        return this.#telemetry.range(request.endpoint, request.path, request.fromMs, request.toMs, request.limit);
      case "downsample":
        return this.#telemetry.downsample(request);
      case "series":
        return this.#telemetry.series(request.query);
      case "probe":
        this.#driver.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?)", [String(++this.#probes)]);
        return String(this.#driver.get("SELECT value FROM meta WHERE name = 'probe'")?.[0]);
      case "verify": {
        const faults = this.#driver
          .all("PRAGMA integrity_check")
          .flat()
          .filter((line) => line !== "ok");
        return JSON.stringify([...faults, ...this.#definitions.flatMap((definition) => foreignKeys(this.#driver, definition))]);
      }
      case "rewrite":
        // A changed document leaves its former text in free space of its page and in the log: only a rewrite is sure to end it.
        this.#driver.exec("VACUUM");
        this.#driver.all("PRAGMA wal_checkpoint(TRUNCATE)");
        return "null";
      case "copy":
        // One consistent state, tidied; the others' requests wait meanwhile.
        this.#driver.run("VACUUM INTO ?", [request.file]);
        return "null";
      case "shorten":
        this.#driver.all("PRAGMA wal_checkpoint(TRUNCATE)");
        return "null";
      case "points":
        return this.#telemetry.page(request.after, request.limit);
      case "prune":
        return this.#telemetry.prune(request.beforeMs, request.afterSeries, request.limit);
      case "close":
        return "null";
    }
  }

  #write(request: WriteRequest): string {
    const table = this.#table(request.collection);
    switch (request.op) {
      case "insert":
        table.insert(request.id, request.document, request.keys);
        this.#besides(request);
        return "null";
      case "update": {
        const { matched, upserted, text } = table.update(request.filter, request.update, request.upsert);
        if (matched || upserted) this.#besides(request);
        return request.returning ? (text ?? "null") : `{"matched":${matched ? 1 : 0},"upserted":${upserted}}`;
      }
      case "delete":
        return `{"deleted":${table.delete(request.filter, request.many)}}`;
    }
  }

  #besides({ beside = [], points }: Extract<WriteRequest, { readonly op: "insert" | "update" }>): void {
    if (points !== undefined) this.#telemetry.append(points);
    for (const { collection, id, document, keys } of beside) {
      try {
        this.#table(collection).insert(id, document, keys);
      } catch (error) {
        if (!(error instanceof DuplicateInTableError)) throw error;
      }
    }
  }

  #bulk(writes: readonly WriteRequest[]): string {
    const failed: number[] = [];
    let matched = 0;
    let refusal: UpdateRefusedError | undefined;
    for (const [position, write] of writes.entries()) {
      const answer = this.#answer(write);
      if (answer.ok) matched += /"(matched|deleted)":1/.test(answer.text) ? 1 : 0;
      else if (answer.kind === "duplicate-key") failed.push(position);
      else refusal ??= new UpdateRefusedError(`write ${position} of the bulk: ${answer.message}`);
    }
    if (refusal !== undefined) throw refusal;
    return JSON.stringify({ failed: failed.map((position) => ({ position, reason: "duplicate-key" })), matched });
  }

  #table(name: string): CollectionTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`no collection ${name} was declared`);
    return table;
  }
}
