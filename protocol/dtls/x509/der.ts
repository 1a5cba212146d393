/** Bounded reading of DER (ITU-T X.690 §8, §10): definite lengths in their shortest form, nothing after the end. */
import { findUtf8Between } from "../../bytes/utf8.ts";
import { X509Error } from "./x509-error.ts";

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface Element {
  readonly tag: number;
  /** With tag and length; a view. */
  readonly whole: Uint8Array;
  /** A view. */
  readonly content: Uint8Array;
}

/** The elements of one content, read in order. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  /** The tag that comes next; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#position];
  }

  next(): Element {
    const start = this.#position;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new X509Error("unsupported", `offset ${start}: tag numbers over 30 do not occur in certificates`);
    const length = this.#length();
    const contentStart = this.#position;
    if (length > this.#bytes.length - contentStart)
      throw new X509Error("malformed", `offset ${start}: the element ends after its container`);
    this.#position = contentStart + length;
    return { tag, whole: this.#bytes.subarray(start, this.#position), content: this.#bytes.subarray(contentStart, this.#position) };
  }

  expect(tag: number, what: string): Element {
    const element = this.next();
    if (element.tag !== tag)
      throw new X509Error("malformed", `${what}: tag 0x${tag.toString(16)} expected, 0x${element.tag.toString(16)} found`);
    return element;
  }

  /** The element when it has this tag, else undefined and nothing is read. */
  optional(tag: number): Element | undefined {
    return this.nextTag === tag ? this.next() : undefined;
  }

  end(what: string): void {
    if (!this.atEnd) throw new X509Error("malformed", `${what}: ${this.#bytes.length - this.#position} bytes too many`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw new X509Error("malformed", `offset ${this.#position}: ends in mid-element`);
    this.#position++;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new X509Error("malformed", "a length that is indefinite or of more than three bytes");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw new X509Error("malformed", "a length that is not in its shortest form");
    return length;
  }
}

/** Children of a constructed element, at most `most` of them. */
export function childrenOf(content: Uint8Array, most: number, what: string): readonly Element[] {
  const reader = new DerReader(content);
  const children: Element[] = [];
  while (!reader.atEnd) {
    if (children.length === most) throw new X509Error("too-large", `${what}: more than ${most} elements`);
    children.push(reader.next());
  }
  return children;
}

/** `"2.5.29.19"`; arcs up to 2^53. */
export function readObjectIdentifier(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, byte] of content.entries()) {
    if (arc === 0 && byte === 0x80) throw new X509Error("malformed", "an object identifier with a padded arc");
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new X509Error("unsupported", "an object identifier with a huge arc");
    if ((byte & 0x80) !== 0) {
      if (index === content.length - 1) throw new X509Error("malformed", "an object identifier that ends in mid-arc");
      continue;
    }
    if (arcs.length === 0) arcs.push(...(arc < 80 ? [Math.floor(arc / 40), arc % 40] : [2, arc - 80]));
    else arcs.push(arc);
    arc = 0;
  }
  if (arcs.length === 0) throw new X509Error("malformed", "an empty object identifier");
  return arcs.join(".");
}

export function readBoolean(content: Uint8Array): boolean {
  const [value] = content;
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) throw new X509Error("malformed", "a BOOLEAN that is neither 0 nor 255");
  return value === 0xff;
}

/** Not negative, below 2^31. */
export function readSmallInteger(content: Uint8Array, what: string): number {
  const [first = 0xff, second = 0xff] = content;
  if (content.length === 0 || content.length > 4 || first >= 0x80)
    throw new X509Error("malformed", `${what}: not a small positive INTEGER`);
  if (content.length > 1 && first === 0 && second < 0x80)
    throw new X509Error("malformed", `${what}: an INTEGER that is not in its shortest form`);
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** The bytes of a BIT STRING that is whole bytes. */
export function readWholeBytes(content: Uint8Array, what: string): Uint8Array {
  if (content[0] !== 0) throw new X509Error("malformed", `${what}: a BIT STRING that is no whole bytes`);
  return content.subarray(1);
}

/** Undefined for a type that holds no text, or for text that is none. */
export function findText({ tag, content }: Element): string | undefined {
  if (tag === Tag.utf8String) return findUtf8Between(content, 0, content.length);
  if (tag === Tag.printableString || tag === Tag.ia5String) return content.every((byte) => byte < 0x80) ? latin1Of(content) : undefined;
  if (tag === Tag.teletexString) return latin1Of(content);
  if (tag !== Tag.bmpString || content.length % 2 !== 0) return undefined;
  let text = "";
  for (let i = 0; i < content.length; i += 2) text += String.fromCharCode(((content[i] ?? 0) << 8) | (content[i + 1] ?? 0));
  return text;
}

function latin1Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
