/** SQLite as it comes with Node: used from Node 24 on, where it needs no package. */
import type { DatabaseSync } from "node:sqlite";
import { primaryCode, type SqlDriver, SqlError, type SqlRow, statementCache } from "./driver.ts";

/** Throws on a Node that has no `node:sqlite`. */
export async function openNodeSqlite(file: string): Promise<SqlDriver> {
  const engine = await import("node:sqlite");
  return driverOf(translating(() => new engine.DatabaseSync(file)));
}

function driverOf(database: DatabaseSync): SqlDriver {
  const prepared = statementCache((sql) => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  });
  return {
    name: "node-sqlite",
    exec: (sql) => translating(() => database.exec(sql)),
    run: (sql, parameters = []) => translating(() => Number(prepared(sql).run(...parameters).changes)),
    // Arrays by setReturnArrays; the declared types know only objects.
    get: (sql, parameters = []) => translating(() => prepared(sql).get(...parameters) as unknown as SqlRow | undefined),
    all: (sql, parameters = []) => translating(() => prepared(sql).all(...parameters) as unknown as SqlRow[]),
    close: () => translating(() => database.close()),
  };
}

/** The engine's errors, in one shape. */
function translating<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && "errcode" in error && typeof error.errcode === "number") {
      throw new SqlError(primaryCode(error.errcode), error.message);
    }
    throw error;
  }
}
