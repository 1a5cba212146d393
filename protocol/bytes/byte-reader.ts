/** Bounded big-endian reading: the one way other layers take bytes apart. */

/** A read past the end. Layers pass their own `fail` instead, so that the peer's fault carries their error. */
export class ByteRangeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ByteRangeError";
  }
}

export type ReadFailure = (message: string) => Error;

const outOfBytes: ReadFailure = (message) => new ByteRangeError(message);

/** Reads from a view it does not copy. Every read checks its bound first and throws what `fail` makes of the message. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fail: ReadFailure;
  #position = 0;

  constructor(bytes: Uint8Array, fail: ReadFailure = outOfBytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fail = fail;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u24(): number {
    const at = this.#take(3);
    return this.#view.getUint16(at) * 256 + this.#view.getUint8(at + 2);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  i16(): number {
    return this.#view.getInt16(this.#take(2));
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** The next byte without moving past it. */
  peek(): number {
    this.#need(1);
    return this.#view.getUint8(this.#position);
  }

  /** A view of the source, valid as long as the source is; copy what is kept. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): number {
    this.#need(length);
    const at = this.#position;
    this.#position += length;
    return at;
  }

  #need(length: number): void {
    if (!Number.isInteger(length) || length < 0) throw this.#fail(`offset ${this.#position}: length ${length} is no count of bytes`);
    if (length > this.remaining) throw this.#fail(`offset ${this.#position}: ${length} bytes needed, ${this.remaining} left`);
  }
}
