/** Arguments of Execute: `0='U',1` (LwM2M Core 1.1 §6.3.6), text/plain. */
import { findUtf8 } from "../bytes/utf8.ts";
import { Lwm2mFormatError } from "./format-error.ts";

export interface ExecuteArgument {
  /** 0–9, each once (LwM2M Core 1.2.1 §6.3.6). */
  readonly digit: number;
  /** Printable ASCII without space, quotes and backslash. */
  readonly text?: string;
}

/** CHAR of the grammar: %x21, %x23–26, %x28–5B, %x5D–7E. */
const textPattern = /^[!#-&(-[\]-~]*$/;
/** One argument and what separates it from the next. */
const argumentPattern = /(\d)(?:='([!#-&(-[\]-~]*)')?(,|$)/y;

/** Throws `arguments`. An empty payload has none. */
export function parseExecuteArguments(payload: Uint8Array | string): readonly ExecuteArgument[] {
  const source = typeof payload === "string" ? payload : findUtf8(payload);
  if (source === undefined) throw new Lwm2mFormatError("arguments", "payload is not UTF-8");
  const found = new Map<number, ExecuteArgument>();
  let at = 0;
  let expectsMore = source !== "";
  while (expectsMore) {
    argumentPattern.lastIndex = at;
    const match = argumentPattern.exec(source);
    if (match === null) {
      throw new Lwm2mFormatError(
        "arguments",
        `offset ${at}: expected digit or digit='text', got ${JSON.stringify(source.slice(at, at + 32))}`,
      );
    }
    const [, digitText, text, separator] = match;
    const digit = Number(digitText);
    if (found.has(digit)) throw new Lwm2mFormatError("arguments", `argument ${digit} is given twice`);
    found.set(digit, { digit, ...(text === undefined ? {} : { text }) });
    at = argumentPattern.lastIndex;
    expectsMore = separator === ",";
  }
  return [...found.values()];
}

/** Throws `arguments` for what the grammar cannot carry. */
export function formatExecuteArguments(list: readonly ExecuteArgument[]): string {
  const digits = new Set(list.map(({ digit }) => digit));
  if (digits.size < list.length) throw new Lwm2mFormatError("arguments", "each digit may be given once");
  return list.map(formatArgument).join(",");
}

export function encodeExecuteArguments(list: readonly ExecuteArgument[]): Uint8Array {
  return new TextEncoder().encode(formatExecuteArguments(list));
}

function formatArgument({ digit, text }: ExecuteArgument): string {
  if (!Number.isInteger(digit) || digit < 0 || digit > 9) throw new Lwm2mFormatError("arguments", `expected a digit, got ${digit}`);
  if (text === undefined) return String(digit);
  if (!textPattern.test(text)) {
    throw new Lwm2mFormatError("arguments", `argument ${digit}: expected printable ASCII without space, quotes and backslash`);
  }
  return `${digit}='${text}'`;
}
