/**
 * Bounded big-endian reading: the one way other layers take bytes apart.
 *
 * On the path of every payload: small fields are put together from bytes, and the `DataView`, dearer to make than most payloads are to
 * read, is made for the first field that needs it.
 */
import { findUtf8Between } from "./utf8.ts";

/** A read past the end. Layers pass their own `fail` instead, so that the peer's fault carries their error. */
export class ByteRangeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ByteRangeError";
  }
}

const largestLoopBytes = 64;

export type ReadFailure = (message: string) => Error;

const outOfBytes: ReadFailure = (message) => new ByteRangeError(message);

/** Reads from a view it does not copy. Every read checks its bound first and throws what `fail` makes of the message. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #fail: ReadFailure;
  #lazyView: DataView | undefined;
  #position = 0;

  constructor(bytes: Uint8Array, fail: ReadFailure = outOfBytes) {
    this.#bytes = bytes;
    this.#fail = fail;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    return this.#byte(this.#take(1));
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  u24(): number {
    const at = this.#take(3);
    return (this.#byte(at) << 16) | (this.#byte(at + 1) << 8) | this.#byte(at + 2);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  u64(): bigint {
    return this.#view().getBigUint64(this.#take(8));
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  i16(): number {
    return (this.u16() << 16) >> 16;
  }

  i32(): number {
    const at = this.#take(4);
    return (this.#byte(at) << 24) | (this.#byte(at + 1) << 16) | (this.#byte(at + 2) << 8) | this.#byte(at + 3);
  }

  i64(): bigint {
    return this.#view().getBigInt64(this.#take(8));
  }

  f32(): number {
    return this.#view().getFloat32(this.#take(4));
  }

  f64(): number {
    return this.#view().getFloat64(this.#take(8));
  }

  /** The next byte without moving past it. */
  peek(): number {
    this.#need(1);
    return this.#byte(this.#position);
  }

  /** A view of the source, valid as long as the source is; copy what is kept. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  /** Bytes that live on their own. */
  copy(length: number): Uint8Array {
    const at = this.#take(length);
    const copied = new Uint8Array(length);
    // Few bytes are copied sooner than a view of them is made.
    if (length > largestLoopBytes) copied.set(new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length));
    else for (let i = 0; i < length; i++) copied[i] = this.#byte(at + i);
    return copied;
  }

  /** Undefined when those bytes are no UTF-8. */
  utf8(length: number): string | undefined {
    const at = this.#take(length);
    return findUtf8Between(this.#bytes, at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The bound was checked by who asks. */
  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #view(): DataView {
    this.#lazyView ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#lazyView;
  }

  #take(length: number): number {
    this.#need(length);
    const at = this.#position;
    this.#position = at + length;
    return at;
  }

  #need(length: number): void {
    if (!(length >= 0 && length <= this.#bytes.length - this.#position && Math.floor(length) === length)) throw this.#refusal(length);
  }

  #refusal(length: number): Error {
    if (!Number.isInteger(length) || length < 0) return this.#fail(`offset ${this.#position}: length ${length} is no count of bytes`);
    return this.#fail(`offset ${this.#position}: ${length} bytes needed, ${this.remaining} left`);
  }
}
