/** Command-line flags read one by one; every mistake is a `FlagProblem` of one line. */
import { parseArgs } from "node:util";
import { findCoapUri } from "./coap-uri.ts";

export type Parsed<T> = { readonly ok: true; readonly options: T } | { readonly ok: false; readonly problem: string };

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export class FlagProblem extends Error {}

export const text = { type: "string" } as const;
export const flag = { type: "boolean" } as const;

export function parsing<T>(parse: () => T): Parsed<T> {
  try {
    return { ok: true, options: parse() };
  } catch (error) {
    if (error instanceof FlagProblem) return { ok: false, problem: error.message };
    throw error;
  }
}

export function flagsOf(args: readonly string[], options: Readonly<Record<string, { readonly type: "string" | "boolean" }>>): Flags {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false, strict: true }).values as Flags;
  } catch (error) {
    // parseArgs throws TypeErrors whose message says which flag is wrong.
    if (error instanceof TypeError) throw new FlagProblem(error.message.split(". ")[0] ?? error.message);
    throw error;
  }
}

export function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  if (value === "") throw new FlagProblem(`--${name} is empty`);
  return typeof value === "string" ? value : undefined;
}

export function uriOf(flags: Flags, name: string): string | undefined {
  const uri = textOf(flags, name);
  if (uri !== undefined && findCoapUri(uri) === undefined)
    throw new FlagProblem(`--${name} is a URI such as coap://127.0.0.1:5683 or coaps://127.0.0.1:5684, got ${uri}`);
  return uri;
}

export function numberOf(flags: Flags, name: string, least: number, most: number): number | undefined {
  const given = textOf(flags, name);
  if (given === undefined) return undefined;
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= least && value <= most)) throw new FlagProblem(`--${name} is a number from ${least} to ${most}, got ${given}`);
  return value;
}
