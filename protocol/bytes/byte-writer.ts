/**
 * Growing big-endian writing: the counterpart of `ByteReader`, and like it with a `DataView` only where a field needs one.
 */

const initialCapacityBytes = 64;

/** A value that does not fit its field is a bug of the caller and throws `RangeError`. */
export class ByteWriter {
  #bytes: Uint8Array;
  #lazyView: DataView | undefined;
  #position = 0;

  constructor(capacityBytes: number = initialCapacityBytes) {
    this.#bytes = new Uint8Array(Math.max(1, capacityBytes));
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  u8(value: number): void {
    requireInteger(value, 0, 0xff);
    const at = this.#claim(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    requireInteger(value, 0, 0xffff);
    const at = this.#claim(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** Over two bytes that were written before: a length that is known by now. */
  u16At(at: number, value: number): void {
    requireInteger(value, 0, 0xffff);
    requireInteger(at, 0, this.#position - 2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  u24(value: number): void {
    requireInteger(value, 0, 0xffffff);
    const at = this.#claim(3);
    this.#bytes[at] = value >>> 16;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value;
  }

  u32(value: number): void {
    requireInteger(value, 0, 0xffffffff);
    const at = this.#claim(4);
    this.#view().setUint32(at, value);
  }

  u64(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} is no unsigned 64-bit integer`);
    const at = this.#claim(8);
    this.#view().setBigUint64(at, value);
  }

  i8(value: number): void {
    requireInteger(value, -0x80, 0x7f);
    const at = this.#claim(1);
    this.#view().setInt8(at, value);
  }

  i16(value: number): void {
    requireInteger(value, -0x8000, 0x7fff);
    const at = this.#claim(2);
    this.#view().setInt16(at, value);
  }

  i32(value: number): void {
    requireInteger(value, -0x80000000, 0x7fffffff);
    const at = this.#claim(4);
    this.#view().setInt32(at, value);
  }

  i64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} is no signed 64-bit integer`);
    const at = this.#claim(8);
    this.#view().setBigInt64(at, value);
  }

  f32(value: number): void {
    const at = this.#claim(4);
    this.#view().setFloat32(at, value);
  }

  f64(value: number): void {
    const at = this.#claim(8);
    this.#view().setFloat64(at, value);
  }

  bytes(value: Uint8Array): void {
    const at = this.#claim(value.length);
    this.#bytes.set(value, at);
  }

  /** What was written, as a copy of its own. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#position);
  }

  #view(): DataView {
    this.#lazyView ??= new DataView(this.#bytes.buffer);
    return this.#lazyView;
  }

  #claim(length: number): number {
    const at = this.#position;
    const end = at + length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#position = end;
    return at;
  }

  #grow(neededBytes: number): void {
    const larger = new Uint8Array(Math.max(neededBytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#position));
    this.#bytes = larger;
    this.#lazyView = undefined;
  }
}

function requireInteger(value: number, least: number, greatest: number): void {
  if (!Number.isInteger(value) || value < least || value > greatest) {
    throw new RangeError(`${value} is no integer from ${least} to ${greatest}`);
  }
}
