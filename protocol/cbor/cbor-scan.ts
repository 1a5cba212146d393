/**
 * CBOR in the forms that nearly all devices send (RFC 8949 §3): short definite lengths, numbers of at most eight bytes that a double holds.
 *
 * Under the short cuts of formats, so plain style yields to speed: nothing is thrown and no object is made. Anything else, right or wrong,
 * is `notScanned`, and what stands there is for `CborReader` to say.
 */

export const notScanned = -1;

/** Initial bytes of the kinds with a length, and of single values. */
export const Initial = { bytes: 0x40, text: 0x60, array: 0x80, map: 0xa0, false: 0xf4, true: 0xf5 } as const;
const negative = 0x20;
const float32 = 0xfa;
const float64 = 0xfb;
/** What follows in an initial byte: the argument itself, or as many bytes. */
const oneByte = 24;
const twoBytes = 25;
const fourBytes = 26;
const eightBytes = 27;
/** The upper half of 2^53: what is below is exact in a double. */
const inexactHigh = 0x200000;

/** Where the bytes of a float become the number they are. */
const word = new DataView(new ArrayBuffer(8));

export class CborScan {
  readonly bytes: Uint8Array;
  at = 0;
  /** After `number`: whether it was written as an integer. */
  whole = false;
  /** After `string`: where it stands. */
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next byte; `notScanned` behind the end. */
  byte(): number {
    return this.at < this.bytes.length ? (this.bytes[this.at++] ?? 0) : notScanned;
  }

  /** The length or count of an item of that kind. */
  count(kind: number): number {
    const short = this.byte() - kind;
    if (short >= 0 && short < oneByte) return short;
    if (short === oneByte) return this.byte();
    return short === twoBytes && this.at + 2 <= this.bytes.length ? this.byte() * 256 + this.byte() : notScanned;
  }

  /** Passes over a string of that kind, and says where it stands. */
  string(kind: number): boolean {
    const length = this.count(kind);
    this.start = this.at;
    this.end = this.at + length;
    if (length === notScanned || this.end > this.bytes.length) return false;
    this.at = this.end;
    return true;
  }

  /** NaN for what is no plain number. */
  number(): number {
    const initial = this.byte();
    if (initial === float64 || initial === float32) return this.#float(initial === float64 ? 8 : 4);
    this.whole = true;
    if (initial < negative) return this.#argument(initial);
    return initial < Initial.bytes ? -1 - this.#argument(initial - negative) : Number.NaN;
  }

  #float(size: 4 | 8): number {
    this.whole = false;
    if (this.at + size > this.bytes.length) return Number.NaN;
    word.setUint32(0, this.#u32());
    if (size === 4) return word.getFloat32(0);
    word.setUint32(4, this.#u32());
    return word.getFloat64(0);
  }

  #argument(short: number): number {
    if (short < 0) return Number.NaN;
    if (short < oneByte) return short;
    const left = this.bytes.length - this.at;
    switch (short) {
      case oneByte:
        return left >= 1 ? this.byte() : Number.NaN;
      case twoBytes:
        return left >= 2 ? this.byte() * 256 + this.byte() : Number.NaN;
      case fourBytes:
        return left >= 4 ? this.#u32() : Number.NaN;
      case eightBytes: {
        const high = left >= 8 ? this.#u32() : inexactHigh;
        return high < inexactHigh ? high * 0x1_0000_0000 + this.#u32() : Number.NaN;
      }
      default:
        return Number.NaN;
    }
  }

  /** Only where four bytes are left. */
  #u32(): number {
    const { at, bytes } = this;
    this.at = at + 4;
    return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
  }
}
