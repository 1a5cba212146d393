/** Chooses the engine. Both keep the same file format: a data directory may move between them. */
import { nodeMajorVersion } from "../platform/node-version.ts";
import type { DriverName, SqlDriver } from "./driver.ts";

/** `node:sqlite` is without warning and complete from this version on. */
const firstNodeWithSqlite = 24;

export function usualDriver(): DriverName {
  return nodeMajorVersion() >= firstNodeWithSqlite ? "node-sqlite" : "libsql";
}

/** The drivers this runtime can load, the usual one first. */
export function driversHere(): readonly DriverName[] {
  return nodeMajorVersion() >= firstNodeWithSqlite ? ["node-sqlite", "libsql"] : ["libsql"];
}

/** Throws `SqlError` when the file cannot be opened. */
export async function openDriver(name: DriverName, file: string): Promise<SqlDriver> {
  if (name === "node-sqlite") return (await import("./node-sqlite.ts")).openNodeSqlite(file);
  return (await import("./libsql.ts")).openLibsql(file);
}
