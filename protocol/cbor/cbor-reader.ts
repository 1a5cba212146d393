/**
 * CBOR as devices send it (RFC 8949): bounded, typed, one pass, 64-bit integers exact.
 *
 * The caller asks for what its format expects instead of getting a tree: nothing is built from bytes that nobody wants, and tags that
 * would build objects do not exist here.
 *
 * On the path of every payload: containers are entered and left instead of handing out callbacks, text is read where it stands, and
 * integers are numbers as long as those are exact.
 */
import { ByteReader, type ReadFailure } from "../bytes/byte-reader.ts";
import { findUtf8 } from "../bytes/utf8.ts";
import { type CborKind, type CborScalar, halfFloat, isShortInteger, joined, kindOf, narrowed, unsignedOf } from "./cbor-scalar.ts";

/** Containers and tags within each other. No format of LwM2M needs more than four. */
export const maxCborDepth = 8;

/** Longest bignum that is read: 64 bits and leading zeros; anything longer is no value of LwM2M and costs time to convert. */
const maxBignumBytes = 16;

const indefinite = 31;
/** Count of a container of indefinite length. */
export const untilBreak = -1;
const breakByte = 0xff;
/** Tags a scalar may carry (RFC 8949 §3.4): what they say is known or harmless. All others are refused. */
const transparentTags: ReadonlySet<number> = new Set([1, 21, 22, 23, 55_799]);

/** Every method throws what `fail` makes of its message when the bytes are not what was asked for. */
export class CborReader {
  readonly #reader: ByteReader;
  readonly #fail: ReadFailure;
  #depth = 0;

  constructor(bytes: Uint8Array, fail: ReadFailure) {
    this.#reader = new ByteReader(bytes, fail);
    this.#fail = fail;
  }

  /** What comes next, without moving. */
  kind(): CborKind {
    return kindOf(this.#reader.peek());
  }

  /** Enters an array: the count of its items, or `untilBreak`. Asked with `hasMore` before each item, closed with `leave`. */
  enterArray(): number {
    return this.#enter(4, 1);
  }

  /** Enters a map: the count of its entries, or `untilBreak`; otherwise as `enterArray`. */
  enterMap(): number {
    return this.#enter(5, 2);
  }

  /** Whether another item or entry follows the `passed` ones of a container that `count` was said of; takes its break. */
  hasMore(count: number, passed: number): boolean {
    return count === untilBreak ? !this.#takeBreak() : passed < count;
  }

  leave(): void {
    this.#depth--;
  }

  /** Calls back once per item of an array, definite or indefinite; the callback reads exactly one item. */
  eachItem(readItem: () => void): void {
    const count = this.enterArray();
    for (let passed = 0; this.hasMore(count, passed); passed++) readItem();
    this.leave();
  }

  /** Calls back once per entry of a map; the callback reads the key and the value. */
  eachEntry(readEntry: () => void): void {
    const count = this.enterMap();
    for (let passed = 0; this.hasMore(count, passed); passed++) readEntry();
    this.leave();
  }

  readInteger(): bigint {
    return BigInt(this.#integer());
  }

  readText(): string {
    const initial = this.#reader.peek();
    const isWhole = initial >> 5 === 3 && (initial & 0x1f) !== indefinite;
    const text = isWhole ? this.#wholeText() : findUtf8(this.#string(3, "text"));
    if (text === undefined) throw this.#fail("text string is not UTF-8");
    return text;
  }

  /** A copy. */
  readBytes(): Uint8Array {
    return new Uint8Array(this.#string(2, "bytes"));
  }

  /** A map key as SenML has it: a small integer or text. */
  readLabel(): number | string {
    const initial = this.#reader.peek();
    if (isShortInteger(initial)) {
      this.#reader.skip(1);
      return initial >> 5 === 0 ? initial : -1 - (initial & 0x1f);
    }
    if (kindOf(initial) === "text") return this.readText();
    const label = this.#integer();
    // Labels stand for fields; one outside 32 bits is none we know.
    return typeof label === "number" && (label | 0) === label ? label : String(label);
  }

  readScalar(): CborScalar {
    const kind = this.kind();
    switch (kind) {
      case "integer":
        return { kind, value: this.#integer() };
      case "text":
        return { kind, value: this.readText() };
      case "bytes":
        return { kind, value: this.readBytes() };
      case "simple":
        return this.#simple();
      case "tag": {
        this.#descend();
        const value = this.#tagged();
        this.leave();
        return value;
      }
      case "array":
      case "map":
        throw this.#unexpected("scalar value", this.#reader.peek());
    }
  }

  /** Passes over one well-formed item of any kind. */
  skip(): void {
    switch (this.kind()) {
      case "integer":
        this.#integer();
        return;
      case "text":
        this.readText();
        return;
      case "bytes":
        this.#string(2, "bytes");
        return;
      case "simple":
        this.#simple();
        return;
      case "array":
        this.eachItem(() => this.skip());
        return;
      case "map":
        this.eachEntry(() => {
          this.skip();
          this.skip();
        });
        return;
      case "tag":
        this.#descend();
        this.#argument(this.#reader.u8());
        this.skip();
        this.leave();
    }
  }

  /** Nothing may follow the item (RFC 8949 §5.3.1). */
  finish(): void {
    if (this.#reader.remaining > 0)
      throw this.#fail(`offset ${this.#reader.position}: ${this.#reader.remaining} bytes after the last item`);
  }

  #enter(major: 4 | 5, itemsPerEntry: number): number {
    const initial = this.#reader.u8();
    if (initial >> 5 !== major) throw this.#unexpected(kindOf(major << 5), initial);
    this.#descend();
    return (initial & 0x1f) === indefinite ? untilBreak : this.#length(initial, itemsPerEntry);
  }

  #descend(): void {
    if (this.#depth === maxCborDepth) throw this.#fail(`offset ${this.#reader.position}: nested deeper than ${maxCborDepth}`);
    this.#depth++;
  }

  /** A bigint only above 2^53 − 1, in either direction. */
  #integer(): number | bigint {
    const initial = this.#reader.u8();
    const argument = this.#argument(initial);
    if (initial >> 5 === 0) return argument;
    if (initial >> 5 !== 1) throw this.#unexpected("integer", initial);
    return typeof argument === "number" && argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - BigInt(argument);
  }

  /** In one piece: read where it stands. */
  #wholeText(): string | undefined {
    const length = this.#length(this.#reader.u8(), 1);
    return this.#reader.utf8(length);
  }

  #takeBreak(): boolean {
    if (this.#reader.peek() !== breakByte) return false;
    this.#reader.skip(1);
    return true;
  }

  /** The bytes of a string, a view where it is in one piece; chunks are definite strings of the same kind (RFC 8949 §3.2.3). */
  #string(major: 2 | 3, expected: string): Uint8Array {
    const initial = this.#reader.u8();
    if (initial >> 5 !== major) throw this.#unexpected(expected, initial);
    if ((initial & 0x1f) !== indefinite) return this.#reader.bytes(this.#length(initial, 1));
    const chunks: Uint8Array[] = [];
    while (!this.#takeBreak()) {
      const head = this.#reader.u8();
      if (head >> 5 !== major || (head & 0x1f) === indefinite) throw this.#unexpected(`definite chunk of ${expected}`, head);
      const chunk = this.#reader.bytes(this.#length(head, 1));
      // Text chunks are valid on their own: no character is split between two (RFC 8949 §3.2.3).
      if (major === 3 && findUtf8(chunk) === undefined) throw this.#fail("chunk of a text string is not UTF-8");
      chunks.push(chunk);
    }
    return joined(chunks);
  }

  /** A count that the rest of the input can still hold: a huge header costs nothing. */
  #length(initial: number, bytesPerItem: number): number {
    const length = this.#argument(initial);
    if (typeof length === "bigint" || length * bytesPerItem > this.#reader.remaining) {
      throw this.#fail(`offset ${this.#reader.position}: length ${length}, ${this.#reader.remaining} bytes left`);
    }
    return length;
  }

  /** The argument of an initial byte, in any of its widths (RFC 8949 §3); a bigint only above 2^53 − 1. */
  #argument(initial: number): number | bigint {
    const short = initial & 0x1f;
    if (short < 24) return short;
    switch (short) {
      case 24:
        return this.#reader.u8();
      case 25:
        return this.#reader.u16();
      case 26:
        return this.#reader.u32();
      case 27: {
        const wide = this.#reader.u64();
        return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
      }
      default:
        throw this.#fail(`offset ${this.#reader.position - 1}: initial byte 0x${initial.toString(16)} has no length here`);
    }
  }

  #simple(): CborScalar {
    const initial = this.#reader.u8();
    switch (initial & 0x1f) {
      case 20:
      case 21:
        return { kind: "boolean", value: initial === 0xf5 };
      case 22:
      case 23:
        return { kind: "null" };
      case 25:
        return { kind: "float", value: halfFloat(this.#reader.u16()) };
      case 26:
        return { kind: "float", value: this.#reader.f32() };
      case 27:
        return { kind: "float", value: this.#reader.f64() };
      default:
        throw this.#unexpected("known simple value", initial);
    }
  }

  #tagged(): CborScalar {
    const tag = this.#argument(this.#reader.u8());
    if (typeof tag === "number" && transparentTags.has(tag)) return this.readScalar();
    switch (tag) {
      case 0:
        return { kind: "date", value: this.readText() };
      case 2:
        return { kind: "integer", value: narrowed(this.#bignum()) };
      case 3:
        return { kind: "integer", value: narrowed(-1n - this.#bignum()) };
      case 4:
        return this.#decimal();
      default:
        throw this.#fail(`offset ${this.#reader.position}: tag ${tag} is not accepted`);
    }
  }

  #bignum(): bigint {
    const bytes = this.#string(2, "bytes");
    if (bytes.length > maxBignumBytes) throw this.#fail(`bignum of ${bytes.length} bytes, at most ${maxBignumBytes}`);
    return unsignedOf(bytes);
  }

  /** Tag 4: an array of exponent and mantissa (RFC 8949 §3.4.4). */
  #decimal(): CborScalar {
    const parts: bigint[] = [];
    this.eachItem(() => {
      parts.push(this.readInteger());
    });
    const [exponent, mantissa] = parts;
    if (exponent === undefined || mantissa === undefined || parts.length > 2) {
      throw this.#fail(`a decimal fraction has 2 parts, got ${parts.length}`);
    }
    return { kind: "decimal", exponent, mantissa };
  }

  #unexpected(expected: string, initial: number): Error {
    return this.#fail(`offset ${this.#reader.position}: expected ${expected}, got ${kindOf(initial)} (0x${initial.toString(16)})`);
  }
}
