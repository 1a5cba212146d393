/**
 * application/link-format, content format 40 (RFC 6690 §2), as LwM2M uses it in Register, Update and Discover (LwM2M Core 1.1 §6.2.1, §6.3.2).
 * The grammar allows no white space and no empty parts; devices send both, so they are read and recorded.
 */
import { findUtf8 } from "../bytes/utf8.ts";
import { Lwm2mFormatError } from "./format-error.ts";

export interface Link {
  /** The text between the angle brackets. */
  readonly target: string;
  /** In the order of the text; an attribute may appear more than once. */
  readonly attributes: readonly LinkAttribute[];
}

export interface LinkAttribute {
  readonly name: string;
  /** Undefined for a name alone; without quotes and escapes. */
  readonly value?: string;
  /** The value stands in quotes. */
  readonly quoted?: boolean;
}

export type LinkTolerance = "link-whitespace" | "link-empty-part" | "link-unquoted-value" | "link-trailing-nul";

export interface ParsedLinks {
  readonly links: readonly Link[];
  /** What the text needed beyond RFC 6690, each once. */
  readonly tolerances: readonly LinkTolerance[];
}

export interface LinkOptions {
  /** Refuses what is otherwise tolerated. */
  readonly strict?: boolean;
  /** Default 10,000. */
  readonly maxLinks?: number;
}

const defaultMaxLinks = 10_000;
/** parmname (RFC 6690 §2, RFC 5987 attr-char), an optional star for extended values. */
const namePattern = /[!#$&+\-.^_`|~\w]+\*?/y;
/** ptoken (RFC 6690 §2). */
const tokenPattern = /[^\s",;\\<>]+/y;
/** Several tokens without quotes: `ct=110 112 60` as some clients send it. */
const looseValuePattern = /[^",;\\<>]*/y;

/** Throws `link-format`. An empty payload has no links. */
export function parseLinks(payload: Uint8Array | string, options: LinkOptions = {}): ParsedLinks {
  const text = typeof payload === "string" ? payload : findUtf8(payload);
  if (text === undefined) throw new Lwm2mFormatError("link-format", "payload is not UTF-8");
  // Sent with the end mark of a C string.
  const end = endWithoutNuls(text);
  const cursor: Cursor = { text: text.slice(0, end), at: 0, strict: options.strict === true, tolerances: new Set() };
  if (end < text.length) tolerate(cursor, "link-trailing-nul");
  const maxLinks = options.maxLinks ?? defaultMaxLinks;
  const links: Link[] = [];
  while (hasNextLink(cursor, links.length)) {
    if (links.length === maxLinks) throw new Lwm2mFormatError("limit", `more than ${maxLinks} links`);
    links.push(readLink(cursor));
  }
  return { links, tolerances: [...cursor.tolerances] };
}

export function formatLinks(links: readonly Link[]): string {
  return links.map(({ target, attributes }) => `<${target}>${attributes.map(formatAttribute).join("")}`).join(",");
}

export function encodeLinks(links: readonly Link[]): Uint8Array {
  return new TextEncoder().encode(formatLinks(links));
}

/** The value of the first attribute of that name; undefined without one, and for a name alone. */
export function findAttribute(link: Link, name: string): string | undefined {
  return link.attributes.find((attribute) => attribute.name === name)?.value;
}

interface Cursor {
  readonly text: string;
  at: number;
  readonly strict: boolean;
  readonly tolerances: Set<LinkTolerance>;
}

/** Passes over the comma before a link; an empty payload, a comma too many or at the end has no link behind it. */
function hasNextLink(cursor: Cursor, linksSoFar: number): boolean {
  skipSpace(cursor);
  if (linksSoFar > 0 && cursor.at < cursor.text.length) expect(cursor, ",");
  const afterComma = linksSoFar > 0 && cursor.text[cursor.at - 1] === ",";
  skipSpace(cursor);
  while (cursor.text[cursor.at] === ",") {
    tolerate(cursor, "link-empty-part");
    cursor.at++;
    skipSpace(cursor);
  }
  const isAtEnd = cursor.at === cursor.text.length;
  if (isAtEnd && afterComma) tolerate(cursor, "link-empty-part");
  return !isAtEnd;
}

function readLink(cursor: Cursor): Link {
  expect(cursor, "<");
  const end = cursor.text.indexOf(">", cursor.at);
  if (end === -1) throw failure(cursor, 'a target closed by ">"');
  const target = cursor.text.slice(cursor.at, end);
  if (/[\s<"]/.test(target)) throw failure(cursor, "a target without white space, quotes and brackets");
  cursor.at = end + 1;
  return { target, attributes: readAttributes(cursor) };
}

function readAttributes(cursor: Cursor): readonly LinkAttribute[] {
  const attributes: LinkAttribute[] = [];
  skipSpaceBefore(cursor, ";");
  while (cursor.text[cursor.at] === ";") {
    cursor.at++;
    skipSpace(cursor);
    const name = take(cursor, namePattern);
    if (name === "") skipEmptyAttribute(cursor);
    else attributes.push(readValue(cursor, name));
    skipSpaceBefore(cursor, ";");
  }
  return attributes;
}

/** `;;`, `;` before the comma or at the end. */
function skipEmptyAttribute(cursor: Cursor): void {
  const next = cursor.text[cursor.at];
  if (next !== undefined && next !== ";" && next !== ",") throw failure(cursor, "the name of an attribute");
  tolerate(cursor, "link-empty-part");
}

function readValue(cursor: Cursor, name: string): LinkAttribute {
  skipSpaceBefore(cursor, "=");
  if (cursor.text[cursor.at] !== "=") return { name };
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === '"') return { name, value: readQuoted(cursor), quoted: true };
  const token = take(cursor, tokenPattern);
  const rest = take(cursor, looseValuePattern);
  if (rest.trim() !== "") {
    tolerate(cursor, "link-unquoted-value");
    return { name, value: `${token}${rest}`.trim() };
  }
  if (rest !== "") tolerate(cursor, "link-whitespace");
  if (token === "") throw failure(cursor, `a value of ${name}`);
  return { name, value: token };
}

/** quoted-string (RFC 2616 §2.2): a backslash takes the next character as it is. */
function readQuoted(cursor: Cursor): string {
  let value = "";
  let at = cursor.at + 1;
  for (; cursor.text[at] !== '"'; at++) {
    if (cursor.text[at] === "\\") at++;
    const character = cursor.text[at];
    if (character === undefined) throw failure(cursor, "a value closed by a quote");
    value += character;
  }
  cursor.at = at + 1;
  return value;
}

function endWithoutNuls(text: string): number {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return end;
}

function take(cursor: Cursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0] ?? "";
  cursor.at += found.length;
  return found;
}

function skipSpace(cursor: Cursor): void {
  const end = spaceEnd(cursor);
  if (end === cursor.at) return;
  tolerate(cursor, "link-whitespace");
  cursor.at = end;
}

/** White space is passed over only where `next` follows; otherwise it belongs to what comes. */
function skipSpaceBefore(cursor: Cursor, next: string): void {
  if (cursor.text[spaceEnd(cursor)] === next) skipSpace(cursor);
}

function spaceEnd(cursor: Cursor): number {
  let end = cursor.at;
  while (/\s/.test(cursor.text.charAt(end))) end++;
  return end;
}

function expect(cursor: Cursor, character: string): void {
  if (cursor.text[cursor.at] !== character) throw failure(cursor, `"${character}"`);
  cursor.at++;
}

function tolerate(cursor: Cursor, tolerance: LinkTolerance): void {
  if (cursor.strict) throw new Lwm2mFormatError("link-format", `offset ${cursor.at}: not accepted in strict mode: ${tolerance}`);
  cursor.tolerances.add(tolerance);
}

function failure(cursor: Cursor, expected: string): Lwm2mFormatError {
  const got = cursor.text[cursor.at];
  return new Lwm2mFormatError(
    "link-format",
    `offset ${cursor.at}: expected ${expected}, got ${got === undefined ? "the end" : JSON.stringify(got)}`,
  );
}

function formatAttribute({ name, value, quoted }: LinkAttribute): string {
  if (value === undefined) return `;${name}`;
  const needsQuotes = quoted === true || value === "" || /[\s",;\\<>]/.test(value);
  return needsQuotes ? `;${name}="${value.replace(/["\\]/g, "\\$&")}"` : `;${name}=${value}`;
}
