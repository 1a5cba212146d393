/** JSON (RFC 8259) with numbers kept as text, so that 64-bit integers stay exact, and bounds on depth: the reader for device bytes. */
import { findUtf8 } from "../bytes/utf8.ts";
import { Lwm2mFormatError } from "./format-error.ts";

export type JsonNode = null | boolean | string | JsonNumber | readonly JsonNode[] | ReadonlyMap<string, JsonNode>;

export interface JsonNumber {
  /** As written. */
  readonly numberText: string;
}

/** SenML and LwM2M JSON need two. */
export const maxJsonDepth = 8;

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals: ReadonlyMap<string, JsonNode> = new Map<string, JsonNode>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/** Throws `json` for anything that is not one JSON text, for a name that appears twice in an object, and for nesting deeper than 8. */
export function parseExactJson(payload: Uint8Array): JsonNode {
  const text = findUtf8(payload);
  if (text === undefined) throw new Lwm2mFormatError("json", "payload is not UTF-8");
  const cursor: Cursor = { text, at: 0, depth: 0 };
  const node = readNode(cursor);
  skipSpace(cursor);
  if (cursor.at < text.length) throw failure(cursor, "the end");
  return node;
}

export function isJsonArray(node: JsonNode): node is readonly JsonNode[] {
  return Array.isArray(node);
}

export function isJsonObject(node: JsonNode | undefined): node is ReadonlyMap<string, JsonNode> {
  return node instanceof Map;
}

export function isJsonNumber(node: JsonNode | undefined): node is JsonNumber {
  return typeof node === "object" && node !== null && "numberText" in node;
}

/** `json` with its kind, for messages. */
export function describeJson(node: JsonNode | undefined): string {
  if (node === undefined) return "nothing";
  if (node === null || typeof node === "boolean") return String(node);
  if (typeof node === "string") return `string ${JSON.stringify(node.slice(0, 64))}`;
  if (isJsonNumber(node)) return `number ${node.numberText.slice(0, 64)}`;
  return isJsonObject(node) ? "an object" : "an array";
}

interface Cursor {
  readonly text: string;
  at: number;
  depth: number;
}

function readNode(cursor: Cursor): JsonNode {
  skipSpace(cursor);
  const next = cursor.text[cursor.at];
  switch (next) {
    case "{":
      return readObject(cursor);
    case "[":
      return readArray(cursor);
    case '"':
      return readString(cursor);
    default:
      return readNumber(cursor) ?? readLiteral(cursor);
  }
}

function readObject(cursor: Cursor): JsonNode {
  const members = new Map<string, JsonNode>();
  readList(cursor, "}", () => {
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== '"') throw failure(cursor, "a name");
    const name = readString(cursor);
    if (members.has(name)) throw new Lwm2mFormatError("json", `name ${JSON.stringify(name.slice(0, 64))} appears twice`);
    skipSpace(cursor);
    expect(cursor, ":");
    members.set(name, readNode(cursor));
  });
  return members;
}

function readArray(cursor: Cursor): JsonNode {
  const items: JsonNode[] = [];
  readList(cursor, "]", () => {
    items.push(readNode(cursor));
  });
  return items;
}

/** Comma-separated parts between the bracket at the cursor and `close`. */
function readList(cursor: Cursor, close: string, readPart: () => void): void {
  if (cursor.depth === maxJsonDepth) throw new Lwm2mFormatError("limit", `JSON nested deeper than ${maxJsonDepth}`);
  cursor.depth++;
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === close) {
    cursor.at++;
  } else {
    readPart();
    skipSpace(cursor);
    while (cursor.text[cursor.at] === ",") {
      cursor.at++;
      readPart();
      skipSpace(cursor);
    }
    expect(cursor, close);
  }
  cursor.depth--;
}

const quote = 0x22;
const backslash = 0x5c;
const firstPrintable = 0x20;

function readString(cursor: Cursor): string {
  const { text, at } = cursor;
  let end = at + 1;
  let escaped = false;
  for (let code = text.charCodeAt(end); code !== quote; code = text.charCodeAt(end)) {
    // NaN past the end compares false.
    if (!(code >= firstPrintable)) throw failure({ ...cursor, at: end }, "a string without control characters, closed by a quote");
    if (code === backslash) escaped = true;
    end += code === backslash ? 2 : 1;
  }
  cursor.at = end + 1;
  return escaped ? unescaped(text.slice(at, end + 1), cursor) : text.slice(at + 1, end);
}

/** The escapes are the platform's to read; a lone surrogate is no text (it would not survive UTF-8). */
function unescaped(literal: string, cursor: Cursor): string {
  let value: unknown;
  try {
    value = JSON.parse(literal);
  } catch {
    value = undefined;
  }
  if (typeof value !== "string" || /[\ud800-\udfff]/u.test(value)) throw failure(cursor, "valid escapes before it");
  return value;
}

function readNumber(cursor: Cursor): JsonNumber | undefined {
  numberPattern.lastIndex = cursor.at;
  const match = numberPattern.exec(cursor.text);
  if (match === null) return undefined;
  cursor.at = numberPattern.lastIndex;
  return { numberText: match[0] };
}

function readLiteral(cursor: Cursor): JsonNode {
  for (const [word, node] of literals) {
    if (cursor.text.startsWith(word, cursor.at)) {
      cursor.at += word.length;
      return node;
    }
  }
  throw failure(cursor, "a value");
}

function expect(cursor: Cursor, character: string): void {
  if (cursor.text[cursor.at] !== character) throw failure(cursor, `"${character}"`);
  cursor.at++;
}

function skipSpace(cursor: Cursor): void {
  while (isSpace(cursor.text.charCodeAt(cursor.at))) cursor.at++;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function failure(cursor: Cursor, expected: string): Lwm2mFormatError {
  const got = cursor.text[cursor.at];
  return new Lwm2mFormatError(
    "json",
    `offset ${cursor.at}: expected ${expected}, got ${got === undefined ? "the end" : JSON.stringify(got)}`,
  );
}
