/** SQLite by the `libsql` package: prebuilt for Node 20, no compiler. */
import Database from "libsql";
import { primaryCode, type SqlDriver, SqlError, type SqlRow, statementCache } from "./driver.ts";

export function openLibsql(file: string): SqlDriver {
  const database = translating(() => new Database(file));
  // Rows as arrays: as objects, a row of get() carries a field `_metadata` that no table has.
  const readers = statementCache((sql) => database.prepare<unknown[]>(sql).raw(true));
  const writers = statementCache((sql) => database.prepare<unknown[]>(sql));
  return {
    name: "libsql",
    exec: (sql) => translating(() => void database.exec(sql)),
    run: (sql, parameters = []) => translating(() => writers(sql).run(parameters).changes),
    // A row array or undefined, by raw mode; values are text, numbers and null, since no table here has blobs.
    get: (sql, parameters = []) => translating(() => readers(sql).get(parameters) as SqlRow | undefined),
    // all() reads to the end. A broken-off iterate() would leave the statement open and block checkpoints.
    all: (sql, parameters = []) => translating(() => readers(sql).all(parameters) as SqlRow[]),
    // Statements hold the connection, and with it the lock, until they are collected or the worker ends.
    close: () => translating(() => void database.close()),
  };
}

/** The engine's errors, in one shape. */
function translating<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && "rawCode" in error && typeof error.rawCode === "number") {
      throw new SqlError(primaryCode(error.rawCode), error.message);
    }
    throw error;
  }
}
