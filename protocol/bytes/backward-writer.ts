/**
 * Growing big-endian writing from the end to the start: what comes last is written first, so that a length in front of nested parts is known
 * when it is written, and nothing is measured or copied for it.
 */

const initialCapacityBytes = 256;
/** Short ASCII is most text; an encoder call costs more than writing it. */
const shortTextLength = 24;

const utf8 = new TextEncoder();

/** Each call puts its bytes in front of those before. Values are cut to their width: who calls has looked. */
export class BackwardWriter {
  #bytes: Uint8Array = new Uint8Array(initialCapacityBytes);
  #lazyView: DataView | undefined;
  #start = initialCapacityBytes;

  /** Bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#start;
  }

  u8(value: number): void {
    this.#claim(1);
    this.#bytes[this.#start] = value;
  }

  u16(value: number): void {
    this.#claim(2);
    this.#bytes[this.#start] = value >>> 8;
    this.#bytes[this.#start + 1] = value;
  }

  u24(value: number): void {
    this.u16(value);
    this.u8(value >>> 16);
  }

  u32(value: number): void {
    this.u16(value);
    this.u16(value >>> 16);
  }

  u64(value: bigint): void {
    this.#claim(8);
    this.#view().setBigUint64(this.#start, value);
  }

  f32(value: number): void {
    this.#claim(4);
    this.#view().setFloat32(this.#start, value);
  }

  f64(value: number): void {
    this.#claim(8);
    this.#view().setFloat64(this.#start, value);
  }

  bytes(value: Uint8Array): void {
    this.#claim(value.length);
    this.#bytes.set(value, this.#start);
  }

  text(value: string): void {
    if (!this.#writeShortAscii(value)) this.bytes(utf8.encode(value));
  }

  /** What was written, as a copy of its own. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(this.#start);
  }

  /** False when the text is none; what was written of it then is written over. */
  #writeShortAscii(value: string): boolean {
    if (value.length > shortTextLength) return false;
    this.#claim(value.length);
    let all = 0;
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      all |= code;
      this.#bytes[this.#start + at] = code;
    }
    if (all <= 0x7f) return true;
    this.#start += value.length;
    return false;
  }

  #view(): DataView {
    this.#lazyView ??= new DataView(this.#bytes.buffer);
    return this.#lazyView;
  }

  #claim(length: number): void {
    if (length > this.#start) this.#grow(length);
    this.#start -= length;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(this.length + length, this.#bytes.length * 2));
    const start = larger.length - this.length;
    larger.set(this.#bytes.subarray(this.#start), start);
    this.#bytes = larger;
    this.#start = start;
    this.#lazyView = undefined;
  }
}
