/**
 * JSON (RFC 8259) with numbers kept as text, so that 64-bit integers stay exact, and bounds on depth: the reader for device bytes.
 *
 * On the path of every payload in JSON: one cursor over the text, no callbacks and no maps, because records have a handful of names.
 */
import { findUtf8 } from "../bytes/utf8.ts";
import { Lwm2mFormatError } from "./format-error.ts";

export type JsonNode = null | boolean | string | JsonNumber | JsonObject | readonly JsonNode[];

export class JsonNumber {
  /** As written. */
  readonly numberText: string;

  constructor(numberText: string) {
    this.numberText = numberText;
  }
}

/** Members in the order they came in, each name once. */
export class JsonObject {
  readonly names: string[] = [];
  readonly values: JsonNode[] = [];
  #seen: Set<string> | undefined;

  get(name: string): JsonNode | undefined {
    return this.values[this.names.indexOf(name)];
  }

  /** False when the name is there already. */
  add(name: string, value: JsonNode): boolean {
    if (this.#has(name)) return false;
    this.names.push(name);
    this.values.push(value);
    this.#seen?.add(name);
    return true;
  }

  /** Name and value of each member. */
  *[Symbol.iterator](): Generator<[string, JsonNode]> {
    for (const [index, name] of this.names.entries()) yield [name, this.values[index] ?? null];
  }

  #has(name: string): boolean {
    if (this.names.length < fewNames) return this.names.includes(name);
    this.#seen ??= new Set(this.names);
    return this.#seen.has(name);
  }
}

/** SenML and LwM2M JSON need two. */
export const maxJsonDepth = 8;
/** Up to that many names are compared one by one. */
const fewNames = 8;

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals: readonly (readonly [string, boolean | null])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

const space = 0x20;
const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const point = 0x2e;
const digitZero = 0x30;
const digitNine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
/** Either case of the letter, with the bit that tells them apart set. */
const exponentLetter = 0x65;
const lowerCaseBit = 0x20;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Throws `json` for anything that is not one JSON text, for a name that appears twice in an object, and for nesting deeper than 8. */
export function parseExactJson(payload: Uint8Array): JsonNode {
  const text = findUtf8(payload);
  if (text === undefined) throw new Lwm2mFormatError("json", "payload is not UTF-8");
  return new JsonReader(text).read();
}

export function isJsonArray(node: JsonNode): node is readonly JsonNode[] {
  return Array.isArray(node);
}

export function isJsonObject(node: JsonNode | undefined): node is JsonObject {
  return node instanceof JsonObject;
}

export function isJsonNumber(node: JsonNode | undefined): node is JsonNumber {
  return node instanceof JsonNumber;
}

/** `json` with its kind, for messages. */
export function describeJson(node: JsonNode | undefined): string {
  if (node === undefined) return "nothing";
  if (node === null || typeof node === "boolean") return String(node);
  if (typeof node === "string") return `string ${JSON.stringify(node.slice(0, 64))}`;
  if (isJsonNumber(node)) return `number ${node.numberText.slice(0, 64)}`;
  return isJsonObject(node) ? "an object" : "an array";
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): JsonNode {
    const node = this.#node();
    this.#next();
    if (this.#at < this.#text.length) throw this.#failure("the end");
    return node;
  }

  /** The code of the next character that is no space, without passing it; NaN at the end. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code <= space && (code === space || code === 0x0a || code === 0x0d || code === 0x09)) code = this.#text.charCodeAt(++this.#at);
    return code;
  }

  #node(): JsonNode {
    const code = this.#next();
    switch (code) {
      case quote:
        return this.#string();
      case openBrace:
        return this.#object();
      case openBracket:
        return this.#array();
      default:
        return code === minus || isDigit(code) ? this.#number() : this.#literal();
    }
  }

  #object(): JsonNode {
    const members = new JsonObject();
    if (this.#enter() !== closeBrace) {
      do {
        if (this.#next() !== quote) throw this.#failure("a name");
        const name = this.#string();
        if (this.#next() !== colon) throw this.#failure('":"');
        this.#at++;
        if (!members.add(name, this.#node())) throw new Lwm2mFormatError("json", `name ${JSON.stringify(name.slice(0, 64))} appears twice`);
      } while (this.#goesOn());
    }
    this.#leave(closeBrace, '"}"');
    return members;
  }

  #array(): JsonNode {
    const items: JsonNode[] = [];
    if (this.#enter() !== closeBracket) {
      do items.push(this.#node());
      while (this.#goesOn());
    }
    this.#leave(closeBracket, '"]"');
    return items;
  }

  /** Passes the opening bracket; the code of what comes after it. */
  #enter(): number {
    if (this.#depth === maxJsonDepth) throw new Lwm2mFormatError("limit", `JSON nested deeper than ${maxJsonDepth}`);
    this.#depth++;
    this.#at++;
    return this.#next();
  }

  /** Passes a comma. */
  #goesOn(): boolean {
    if (this.#next() !== comma) return false;
    this.#at++;
    return true;
  }

  #leave(close: number, expected: string): void {
    if (this.#text.charCodeAt(this.#at) !== close) throw this.#failure(expected);
    this.#at++;
    this.#depth--;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let end = start;
    let escaped = false;
    for (let code = text.charCodeAt(end); code !== quote; code = text.charCodeAt(end)) {
      // NaN past the end compares false.
      if (!(code >= space)) {
        this.#at = end;
        throw this.#failure("a string without control characters, closed by a quote");
      }
      if (code === backslash) escaped = true;
      end += code === backslash ? 2 : 1;
    }
    this.#at = end + 1;
    return escaped ? this.#unescaped(text.slice(start - 1, end + 1)) : text.slice(start, end);
  }

  /** The escapes are the platform's to read; a lone surrogate is no text (it would not survive UTF-8). */
  #unescaped(literal: string): string {
    let value: unknown;
    try {
      value = JSON.parse(literal);
    } catch {
      value = undefined;
    }
    if (typeof value !== "string" || /[\ud800-\udfff]/u.test(value)) throw this.#failure("valid escapes before it");
    return value;
  }

  #number(): JsonNode {
    const start = this.#at;
    const end = this.#shortNumberEnd();
    if (end > start) {
      this.#at = end;
      return new JsonNumber(this.#text.slice(start, end));
    }
    numberPattern.lastIndex = start;
    const match = numberPattern.exec(this.#text);
    if (match === null) throw this.#failure("a value");
    this.#at = numberPattern.lastIndex;
    return new JsonNumber(match[0]);
  }

  /** The end of a number without exponent; 0 for any other, which is the pattern's to read. */
  #shortNumberEnd(): number {
    const text = this.#text;
    const whole = text.charCodeAt(this.#at) === minus ? this.#at + 1 : this.#at;
    let at = whole;
    while (isDigit(text.charCodeAt(at))) at++;
    if (at === whole || (text.charCodeAt(whole) === digitZero && at > whole + 1)) return 0;
    if (text.charCodeAt(at) === point) {
      const fraction = ++at;
      while (isDigit(text.charCodeAt(at))) at++;
      if (at === fraction) return 0;
    }
    return (text.charCodeAt(at) | lowerCaseBit) === exponentLetter ? 0 : at;
  }

  #literal(): JsonNode {
    for (const [word, node] of literals) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return node;
      }
    }
    throw this.#failure("a value");
  }

  #failure(expected: string): Lwm2mFormatError {
    const got = this.#text[this.#at];
    return new Lwm2mFormatError(
      "json",
      `offset ${this.#at}: expected ${expected}, got ${got === undefined ? "the end" : JSON.stringify(got)}`,
    );
  }
}

function isDigit(code: number): boolean {
  return code >= digitZero && code <= digitNine;
}
