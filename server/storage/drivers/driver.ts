/** What the embedded store needs of an SQLite engine: six functions, so that the engine can be exchanged with the runtime. */

export type SqlValue = string | number | null;
/** Columns in the order of the SELECT. */
export type SqlRow = readonly SqlValue[];

export interface SqlDriver {
  readonly name: DriverName;
  exec(sql: string): void;
  /** Rows changed. The text is the key of the statement cache: values go into `parameters`. */
  run(sql: string, parameters?: readonly SqlValue[]): number;
  get(sql: string, parameters?: readonly SqlValue[]): SqlRow | undefined;
  /** Reads to the end, so that no statement stays open; callers limit the rows. */
  all(sql: string, parameters?: readonly SqlValue[]): readonly SqlRow[];
  close(): void;
}

export type DriverName = "libsql" | "node-sqlite";

/** An error of the engine, the same for every driver. */
export class SqlError extends Error {
  /** Primary result code of SQLite. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "SqlError";
    this.code = code;
  }
}

/** Primary result codes (sqlite.org/rescode.html) that are told apart here. */
export const sqlCodes = {
  permission: 3,
  busy: 5,
  locked: 6,
  outOfMemory: 7,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  constraint: 19,
  notADatabase: 26,
} as const;

/** Extended codes carry the primary one in their low byte. */
export const primaryCode = (code: number): number => code & 0xff;

/** Statement texts come from a small set of shapes; the bound only guards against a caller that breaks that. */
export const cachedStatements = 500;

/** Prepared statements by their text; the oldest goes first. */
export function statementCache<S>(prepare: (sql: string) => S): (sql: string) => S {
  const statements = new Map<string, S>();
  return (sql) => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = prepare(sql);
    if (statements.size >= cachedStatements) {
      for (const oldest of statements.keys()) {
        statements.delete(oldest);
        break;
      }
    }
    statements.set(sql, statement);
    return statement;
  };
}
