/** Tables and indexes of the embedded store: one table per collection, made at open from the definitions. */
import type { CollectionDefinition, IndexDefinition } from "./collection.ts";
import type { SqlDriver, SqlRow } from "./drivers/driver.ts";
import { indexedFields } from "./guard.ts";
import { keyColumn, keysOf, operandOf } from "./key-columns.ts";
import { partialTerm } from "./narrowing.ts";
import { changed, firstVersion, newestVersion, type SchemaChange, type SchemaStep, schemaSteps, stepsFrom } from "./schema-steps.ts";

/** Documents read at a time. */
const documentsAtATime = 500;

/** Write-ahead log, every commit flushed, one process only. Also takes the lock of the file. */
export function configure(driver: SqlDriver): void {
  // Waits this long for a server that is just going down; then the file is in use.
  driver.exec("PRAGMA busy_timeout = 300");
  driver.exec("PRAGMA locking_mode = EXCLUSIVE");
  driver.get("PRAGMA journal_mode = WAL");
  driver.exec("PRAGMA synchronous = FULL");
  // Only macOS looks at this one: its plain fsync does not reach the disk.
  driver.exec("PRAGMA fullfsync = 1");
  driver.get(`PRAGMA journal_size_limit = ${64 * 1024 * 1024}`);
  driver.exec(`PRAGMA cache_size = ${-24 * 1024}`);
}

/** In one transaction: a kill leaves the file as it was. Throws `NewerSchemaError`. */
export function createSchema(
  driver: SqlDriver,
  definitions: readonly CollectionDefinition[],
  steps: readonly SchemaStep[] = schemaSteps,
): SchemaChange {
  driver.exec("BEGIN IMMEDIATE");
  try {
    const change = bringForward(driver, definitions, steps);
    driver.exec("COMMIT");
    return change;
  } catch (error) {
    rollBack(driver);
    throw error;
  }
}

function bringForward(driver: SqlDriver, definitions: readonly CollectionDefinition[], steps: readonly SchemaStep[]): SchemaChange {
  const to = newestVersion(steps);
  // A new file has none.
  const from = Number(driver.get("PRAGMA user_version")?.[0] ?? 0) || (hasTables(driver) ? firstVersion : to);
  const taken = stepsFrom(from, steps);
  for (const step of taken) takeStep(driver, step);
  driver.exec(`PRAGMA user_version = ${to}`);
  driver.exec("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  driver.exec(
    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (endpoint, path))",
  );
  // The order of an export.
  driver.exec("CREATE INDEX IF NOT EXISTS series_by_path ON series (path, endpoint)");
  driver.exec(
    "CREATE TABLE IF NOT EXISTS points (series INTEGER NOT NULL, time REAL NOT NULL, received REAL NOT NULL, value TEXT NOT NULL, PRIMARY KEY (series, time)) WITHOUT ROWID",
  );
  for (const definition of definitions) {
    driver.exec(`CREATE TABLE IF NOT EXISTS ${tableOf(definition)} (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL)`);
    reconcileColumns(
      driver,
      definition,
      taken.some(({ collection }) => collection === definition.name),
    );
    reconcileIndexes(driver, definition);
  }
  return { from, to };
}

/** Else closing leaves the lock behind. */
function rollBack(driver: SqlDriver): void {
  try {
    driver.exec("ROLLBACK");
  } catch {
    // The engine has done it already, as it does when the disk is full.
  }
}

function hasTables(driver: SqlDriver): boolean {
  return driver.get("SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1") !== undefined;
}

function takeStep(driver: SqlDriver, step: SchemaStep): void {
  const table = tableOf({ name: step.collection });
  if (driver.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [`c_${step.collection}`]) === undefined) return;
  forEachRow(driver, table, [], ([id = null, text]) => {
    const result = changed(step, JSON.parse(String(text)));
    if (result !== undefined) driver.run(`UPDATE ${table} SET doc = ? WHERE id = ?`, [JSON.stringify(result), id]);
  });
}

/** The id, the text and the columns of each document. Page by page: what `visit` writes is behind the page it was read in. */
export function forEachRow(driver: SqlDriver, table: string, columns: readonly string[], visit: (row: SqlRow) => void): void {
  const select = `SELECT ${["id", "doc", ...columns].join(", ")} FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`;
  for (let after = ""; ; ) {
    const rows = driver.all(select, [after, documentsAtATime]);
    for (const row of rows) visit(row);
    if (rows.length < documentsAtATime) return;
    after = String(rows.at(-1)?.[0]);
  }
}

export function tableOf(definition: Pick<CollectionDefinition, "name">): string {
  return `"c_${definition.name}"`;
}

/** The declared name of a unique index, from what SQLite says of a second equal key; undefined for one that is not ours. */
export function declaredIndex(definition: CollectionDefinition, refusal: string): string | undefined {
  const [, name = ""] = /index '([^']+)'/.exec(refusal) ?? [];
  // An index of plain columns is not named but by them.
  const [, columns = ""] = /UNIQUE constraint failed: (.+)/.exec(refusal) ?? [];
  return definition.indexes.find(
    (index) =>
      index.unique === true &&
      (name === `${indexName(definition, index)}_null` ||
        columns === index.fields.map((field) => `c_${definition.name}.k_${field}`).join(", ")),
  )?.name;
}

/** The key columns of today's indexes, and no others: one that is not kept up would be taken for right when its index comes back. */
function reconcileColumns(driver: SqlDriver, definition: CollectionDefinition, isRewritten: boolean): void {
  const table = tableOf(definition);
  const wanted = indexedFields(definition).map(keyColumn);
  const present = driver
    .all(`SELECT name FROM pragma_table_info('c_${definition.name}') WHERE name GLOB 'k_*'`)
    .map(([name]) => `"${name}"`);
  const missing = wanted.filter((column) => !present.includes(column));
  const spare = present.filter((column) => !wanted.includes(column));
  if (spare.length === 0 && missing.length === 0 && !isRewritten) return;
  for (const name of indexesOf(driver, definition).keys()) driver.exec(`DROP INDEX "${name}"`);
  for (const column of spare) driver.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  for (const column of missing) driver.exec(`ALTER TABLE ${table} ADD COLUMN ${column}`);
  if (wanted.length === 0) return;
  forEachRow(driver, table, [], ([id = null, text]) => {
    const operands = keysOf(definition, JSON.parse(String(text))).map(operandOf);
    const sets = operands.map(({ sql }, position) => `${wanted[position]} = ${sql}`);
    driver.run(`UPDATE ${table} SET ${sets.join(", ")} WHERE id = ?`, [...operands.map(({ parameter }) => parameter), id]);
  });
}

function reconcileIndexes(driver: SqlDriver, definition: CollectionDefinition): void {
  const wanted = new Map(definition.indexes.flatMap((index) => indexStatements(definition, index)));
  for (const [name, sql] of indexesOf(driver, definition)) {
    if (wanted.get(name) === sql) wanted.delete(name);
    else driver.exec(`DROP INDEX "${name}"`);
  }
  for (const sql of wanted.values()) driver.exec(sql);
}

/** Statements by name; SQLite's own index of the ids has none. */
function indexesOf(driver: SqlDriver, definition: CollectionDefinition): ReadonlyMap<string, string> {
  const rows = driver.all("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?", [
    `c_${definition.name}`,
  ]);
  return new Map(rows.map(([name, sql]) => [String(name), String(sql)]));
}

function indexStatements(definition: CollectionDefinition, index: IndexDefinition): readonly (readonly [string, string])[] {
  const name = indexName(definition, index);
  const expressions = index.fields.map(keyColumn);
  const where = index.where === undefined ? "" : ` WHERE ${partialTerm(index.where)}`;
  if (index.unique !== true) {
    // The id at the end makes the order of the index the order of pages.
    return [[name, `CREATE INDEX "${name}" ON ${tableOf(definition)} (${expressions.join(", ")}, id)${where}`]];
  }
  const absent = `(${expressions.map((expression) => `${expression} IS NULL`).join(" OR ")})`;
  const filled = expressions.map((expression) => `coalesce(${expression}, x'')`);
  return [
    [name, `CREATE UNIQUE INDEX "${name}" ON ${tableOf(definition)} (${expressions.join(", ")})${where}`],
    // To SQLite two missing values differ, to the port they are the same: a second index makes them so.
    [
      `${name}_null`,
      `CREATE UNIQUE INDEX "${name}_null" ON ${tableOf(definition)} (${filled.join(", ")}) WHERE ${absent}${where.replace(" WHERE", " AND")}`,
    ],
  ];
}

function indexName(definition: CollectionDefinition, index: IndexDefinition): string {
  return `i_${definition.name}_${index.name}`;
}
