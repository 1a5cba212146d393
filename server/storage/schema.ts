/** Tables and indexes of the embedded store: one table per collection, made at open from the definitions. */
import type { CollectionDefinition, IndexDefinition } from "./collection.ts";
import type { SqlDriver } from "./drivers/driver.ts";
import { fieldExpression, partialTerm } from "./narrowing.ts";
import { changed, firstVersion, newestVersion, type SchemaChange, type SchemaStep, schemaSteps, stepsFrom } from "./schema-steps.ts";

/** Documents a step reads at a time. */
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
  driver.exec(`PRAGMA cache_size = ${-32 * 1024}`);
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
  for (const step of stepsFrom(from, steps)) takeStep(driver, step);
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
    reconcileIndexes(driver, definition);
  }
  rebuildAfterEngineChange(driver);
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

/** Documents page by page; what the step writes is behind the page it was read in. */
function takeStep(driver: SqlDriver, step: SchemaStep): void {
  const table = tableOf({ name: step.collection });
  if (driver.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [`c_${step.collection}`]) === undefined) return;
  for (let after = ""; ; ) {
    const rows = driver.all(`SELECT id, doc FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`, [after, documentsAtATime]);
    for (const [id = null, text] of rows) {
      const result = changed(step, JSON.parse(String(text)));
      if (result !== undefined) driver.run(`UPDATE ${table} SET doc = ? WHERE id = ?`, [JSON.stringify(result), id]);
    }
    if (rows.length < documentsAtATime) return;
    after = String(rows.at(-1)?.[0]);
  }
}

export function tableOf(definition: Pick<CollectionDefinition, "name">): string {
  return `"c_${definition.name}"`;
}

/** The declared name of an index, from the name SQLite gives in an error; undefined for one that is not ours. */
export function declaredIndex(definition: CollectionDefinition, sqlName: string): string | undefined {
  return definition.indexes.find((index) => [indexName(definition, index), `${indexName(definition, index)}_null`].includes(sqlName))?.name;
}

function reconcileIndexes(driver: SqlDriver, definition: CollectionDefinition): void {
  const wanted = new Map(definition.indexes.flatMap((index) => indexStatements(definition, index)));
  const rows = driver.all("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?", [
    `c_${definition.name}`,
  ]);
  for (const [name, sql] of rows) {
    if (wanted.get(String(name)) === sql) wanted.delete(String(name));
    else driver.exec(`DROP INDEX "${String(name)}"`);
  }
  for (const sql of wanted.values()) driver.exec(sql);
}

function indexStatements(definition: CollectionDefinition, index: IndexDefinition): readonly (readonly [string, string])[] {
  const name = indexName(definition, index);
  const expressions = index.fields.map(fieldExpression);
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

/** Two versions of SQLite may read the same JSON number differently in the last bit: index entries follow the engine in use. */
function rebuildAfterEngineChange(driver: SqlDriver): void {
  const engine = `${String(driver.get("SELECT sqlite_version()")?.[0])}`;
  const before = driver.get("SELECT value FROM meta WHERE name = 'engine'")?.[0];
  if (before === engine) return;
  if (before !== undefined) driver.exec("REINDEX");
  driver.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('engine', ?)", [engine]);
}
