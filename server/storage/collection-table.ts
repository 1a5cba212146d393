/** One collection in SQLite, inside the worker: reads narrowed by SQL and sorted out by the matcher, writes of one document. */
import type { CollectionDefinition, Filter, Update } from "./collection.ts";
import { type SqlDriver, SqlError, type SqlValue, sqlCodes } from "./drivers/driver.ts";
import { checkIndexedFields, indexedFields, storeLimits } from "./guard.ts";
import { type Keys, keyColumn, keysOf, operandOf } from "./key-columns.ts";
import { placeOf, type Segment, segmentsOf, startAfter } from "./keyset-pages.ts";
import { compileFilter, type Test } from "./matcher.ts";
import { type Narrowing, narrow } from "./narrowing.ts";
import type { RecentTable, RecentTexts } from "./recent-texts.ts";
import type { FindRequest } from "./requests.ts";
import { declaredIndex, tableOf } from "./schema.ts";
import { applyUpdate, seedOfUpsert, UpdateRefusedError } from "./updater.ts";

/** Another document has the same key; nothing was written. */
export class DuplicateInTableError extends Error {
  readonly index: string;

  constructor(index: string) {
    super(`duplicate key in ${index}`);
    this.name = "DuplicateInTableError";
    this.index = index;
  }
}

export interface Updated {
  readonly matched: boolean;
  readonly upserted: boolean;
  /** JSON text of the document after the update; undefined when nothing matched. */
  readonly text: string | undefined;
}

interface Row {
  readonly id: string;
  readonly text: string;
  /** The text, parsed for this row alone: an update may change it. Undefined where the filter did not need it. */
  readonly document: { [field: string]: unknown } | undefined;
}

/** Rows per query at most: a page is in memory at once. */
const rowsAtATime = 256;
/** Of a change that leaves every indexed field alone. */
const noKeys: Keys = [];

export class CollectionTable {
  readonly #driver: SqlDriver;
  readonly #definition: CollectionDefinition;
  readonly #table: string;
  readonly #recent: RecentTable;
  readonly #indexed: readonly string[];
  readonly #columns: readonly string[];
  readonly #sql: { readonly insert: string; readonly remove: string; readonly byId: string };

  constructor(driver: SqlDriver, definition: CollectionDefinition, recent: RecentTexts) {
    this.#driver = driver;
    this.#definition = definition;
    this.#recent = recent.open();
    const table = tableOf(definition);
    this.#table = table;
    this.#indexed = indexedFields(definition);
    this.#columns = this.#indexed.map(keyColumn);
    this.#sql = {
      insert: `INSERT INTO ${table} (${["id", "doc", ...this.#columns].join(", ")}) VALUES`,
      remove: `DELETE FROM ${table} WHERE id = ?`,
      byId: `SELECT doc FROM ${table} WHERE id = ?`,
    };
  }

  /** JSON texts in order. */
  find(request: FindRequest): readonly string[] {
    if (typeof request.filter["_id"] === "string" && request.after === undefined) {
      const row = this.#first(request.filter);
      return row === undefined ? [] : [row.text];
    }
    const found: string[] = [];
    for (const row of this.#rows(request.filter, request)) {
      found.push(row.text);
      if (found.length === request.limit) break;
    }
    return found;
  }

  count(filter: Filter, cap: number): number {
    if (Object.keys(filter).length === 0) {
      return Number(this.#driver.get(`SELECT count(*) FROM (SELECT 1 FROM ${this.#table} LIMIT ?)`, [cap])?.[0] ?? 0);
    }
    let count = 0;
    for (const _ of this.#rows(filter, byId(rowsAtATime))) {
      count++;
      if (count === cap) break;
    }
    return count;
  }

  insert(id: string, text: string, keys: Keys): void {
    const operands = keys.map(operandOf);
    const places = ["?", "?", ...operands.map(({ sql }) => sql)].join(", ");
    try {
      this.#driver.run(`${this.#sql.insert} (${places})`, [id, text, ...operands.map(({ parameter }) => parameter)]);
      this.#recent.set(id, text);
    } catch (error) {
      const collision = this.#collisionOf(error);
      // Several keys may collide at once, and the engine names any of them: `_id` goes first.
      if (collision instanceof DuplicateInTableError && this.#textById(id) !== undefined) throw new DuplicateInTableError("_id");
      throw collision;
    }
  }

  /** `update` is used up: the document takes parts of it. */
  update(filter: Filter, update: Update, upsert: boolean): Updated {
    const row = this.#first(filter);
    if (row === undefined) return upsert ? this.#upsert(filter, update) : { matched: false, upserted: false, text: undefined };
    const document = row.document ?? this.#recent.take(row.id) ?? JSON.parse(row.text);
    const isOfKeys = this.#touchesKeys(update);
    const before = isOfKeys ? keysOf(this.#definition, document) : noKeys;
    applyUpdate(document, update);
    const text = this.#textOf(document, isOfKeys);
    if (text !== row.text) this.#rewrite(row.id, text, before, isOfKeys ? keysOf(this.#definition, document) : noKeys);
    this.#recent.set(row.id, text, document);
    return { matched: true, upserted: false, text };
  }

  delete(filter: Filter, many: boolean): number {
    if (!many) {
      const row = this.#first(filter);
      return row === undefined ? 0 : this.#remove(row.id);
    }
    let deleted = 0;
    // The ids of one page are read before its first row goes.
    for (const row of this.#rows(filter, byId(rowsAtATime))) deleted += this.#remove(row.id);
    return deleted;
  }

  #remove(id: string): number {
    this.#recent.delete(id);
    return this.#driver.run(this.#sql.remove, [id]);
  }

  #upsert(filter: Filter, update: Update): Updated {
    const document = seedOfUpsert(filter);
    applyUpdate(document, update, true);
    const id = String(document["_id"]);
    const text = this.#textOf(document, true);
    this.insert(id, text, keysOf(this.#definition, document));
    return { matched: false, upserted: true, text };
  }

  /** Whether an indexed field may be another afterwards. */
  #touchesKeys(update: Update): boolean {
    for (const changes of Object.values(update)) {
      for (const path of Object.keys(changes)) {
        const isNear = (field: string): boolean => field === path || field.startsWith(`${path}.`) || path.startsWith(`${field}.`);
        if (this.#indexed.some(isNear)) return true;
      }
    }
    return false;
  }

  #textOf(document: { readonly [field: string]: unknown }, isOfKeys: boolean): string {
    const text = JSON.stringify(document);
    if (text.length > storeLimits.documentCharacters) throw new UpdateRefusedError(`the document would have ${text.length} characters`);
    if (!isOfKeys) return text;
    try {
      checkIndexedFields(this.#definition, document);
    } catch (error) {
      throw new UpdateRefusedError(error instanceof Error ? error.message : String(error));
    }
    return text;
  }

  #first(filter: Filter): Row | undefined {
    const id = filter["_id"];
    if (typeof id === "string") {
      const text = this.#textById(id);
      if (text === undefined) return undefined;
      if (isOfIdAlone(filter)) return { id, text, document: undefined };
      const document = this.#recent.take(id) ?? JSON.parse(text);
      return compileFilter(filter)(document) ? { id, text, document } : undefined;
    }
    for (const row of this.#rows(filter, byId(1))) return row;
    return undefined;
  }

  #textById(id: string): string | undefined {
    const recent = this.#recent.get(id);
    if (recent !== undefined) return recent;
    const text = this.#driver.get(this.#sql.byId, [id])?.[0];
    if (typeof text !== "string") return undefined;
    this.#recent.set(id, text);
    return text;
  }

  /** Matching documents in order, page by page; a statement is never open while the caller writes. */
  *#rows(filter: Filter, query: Pick<FindRequest, "sort" | "descending" | "limit" | "after">): Generator<Row> {
    const test = compileFilter(filter);
    // Pages of a list, the whole of a collection at the start: nothing in the document is asked for, and to parse it costs most.
    const isById = isOfIdAlone(filter);
    const narrowing = narrow(this.#definition, filter);
    let pageSize = Math.min(query.limit, rowsAtATime);
    for (const segment of segmentsOf(query, narrowing)) {
      let after = query.after;
      for (;;) {
        const rows = this.#page(segment, narrowing, query, after, pageSize);
        yield* this.#rowsOf(rows, test, isById);
        const last = rows.at(-1);
        if (last === undefined || rows.length < pageSize) break;
        after = placeOf(query.sort, String(last[0]), String(last[1]));
        // The caller goes on, so the matcher throws rows away: larger pages from now on.
        pageSize = rowsAtATime;
      }
    }
  }

  #page(
    segment: Segment,
    narrowing: Narrowing,
    query: Pick<FindRequest, "sort" | "descending">,
    after: FindRequest["after"],
    limit: number,
  ): readonly (readonly SqlValue[])[] {
    const terms = [...narrowing.terms, ...segment.terms];
    const parameters = [...narrowing.parameters];
    if (after !== undefined) {
      const from = startAfter(query, segment, after);
      if (from === "nothing-left") return [];
      terms.push(...from.terms);
      parameters.push(...from.parameters);
    }
    const where = terms.length === 0 ? "" : ` WHERE ${terms.join(" AND ")}`;
    return this.#driver.all(`SELECT id, doc FROM ${this.#table}${where} ORDER BY ${segment.order} LIMIT ?`, [...parameters, limit]);
  }

  #rowsOf(rows: readonly (readonly SqlValue[])[], test: Test, isById: boolean): readonly Row[] {
    const matching: Row[] = [];
    for (const [id, text] of rows) {
      if (typeof id !== "string" || typeof text !== "string") throw new Error(`${this.#table} has a row that is no document`);
      const document = isById ? undefined : JSON.parse(text);
      if (test(document ?? { _id: id })) matching.push({ id, text, document });
    }
    return matching;
  }

  /** An index is touched only where one of its columns is set. */
  #rewrite(id: string, text: string, before: Keys, after: Keys): void {
    const sets = ["doc = ?"];
    const parameters: SqlValue[] = [text];
    for (const [position, value] of after.entries()) {
      if (value === before[position]) continue;
      const { sql, parameter } = operandOf(value);
      sets.push(`${this.#columns[position]} = ${sql}`);
      parameters.push(parameter);
    }
    try {
      this.#driver.run(`UPDATE ${this.#table} SET ${sets.join(", ")} WHERE id = ?`, [...parameters, id]);
    } catch (error) {
      throw this.#collisionOf(error);
    }
  }

  /** The engine's refusal of a second equal key as the port's; any other error as it is. */
  #collisionOf(error: unknown): unknown {
    if (!(error instanceof SqlError) || error.code !== sqlCodes.constraint) return error;
    return new DuplicateInTableError(declaredIndex(this.#definition, error.message) ?? "_id");
  }
}

function isOfIdAlone(filter: Filter): boolean {
  for (const key in filter) if (key !== "_id") return false;
  return true;
}

function byId(limit: number): Pick<FindRequest, "sort" | "descending" | "limit"> {
  return { sort: "_id", descending: false, limit };
}
