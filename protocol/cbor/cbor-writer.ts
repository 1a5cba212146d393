/** CBOR for devices (RFC 8949): definite lengths, shortest integers (§4.1), floats as single where that loses nothing, else double. */
import { ByteWriter } from "../bytes/byte-writer.ts";
import { narrowed } from "./cbor-scalar.ts";

/** Most payloads fit: growing costs more than the bytes. */
const initialCapacityBytes = 256;

const utf8 = new TextEncoder();

export class CborWriter {
  readonly #writer = new ByteWriter(initialCapacityBytes);

  /** −2^64 to 2^64−1; anything else is a bug of the caller. */
  integer(value: bigint | number): void {
    const exact = typeof value === "bigint" ? narrowed(value) : value;
    if (exact >= 0) this.#head(0, exact);
    else this.#head(1, typeof exact === "bigint" ? -1n - exact : -1 - exact);
  }

  /** Never half precision: small decoders lack it. */
  float(value: number): void {
    if (Object.is(Math.fround(value), value)) {
      this.#writer.u8(0xfa);
      this.#writer.f32(value);
      return;
    }
    this.#writer.u8(0xfb);
    this.#writer.f64(value);
  }

  text(value: string): void {
    if (isShortAscii(value)) {
      this.#head(3, value.length);
      for (let at = 0; at < value.length; at++) this.#writer.u8(value.charCodeAt(at));
      return;
    }
    const bytes = utf8.encode(value);
    this.#head(3, bytes.length);
    this.#writer.bytes(bytes);
  }

  bytes(value: Uint8Array): void {
    this.#head(2, value.length);
    this.#writer.bytes(value);
  }

  boolean(value: boolean): void {
    this.#writer.u8(value ? 0xf5 : 0xf4);
  }

  null(): void {
    this.#writer.u8(0xf6);
  }

  /** The caller writes exactly `count` items after it. */
  array(count: number): void {
    this.#head(4, count);
  }

  /** The caller writes exactly `count` keys, each followed by its value. */
  map(count: number): void {
    this.#head(5, count);
  }

  toBytes(): Uint8Array {
    return this.#writer.toBytes();
  }

  #head(major: number, argument: number | bigint): void {
    const high = major << 5;
    if (typeof argument === "bigint" || argument > 0xffffffff) {
      this.#writer.u8(high | 27);
      this.#writer.u64(BigInt(argument));
    } else if (argument < 24) {
      this.#writer.u8(high | argument);
    } else if (argument <= 0xff) {
      this.#writer.u8(high | 24);
      this.#writer.u8(argument);
    } else if (argument <= 0xffff) {
      this.#writer.u8(high | 25);
      this.#writer.u16(argument);
    } else {
      this.#writer.u8(high | 26);
      this.#writer.u32(argument);
    }
  }
}

/** Names are short ASCII; an encoder call costs more than writing them. */
const shortAsciiLength = 24;

function isShortAscii(value: string): boolean {
  if (value.length > shortAsciiLength) return false;
  for (let at = 0; at < value.length; at++) if (value.charCodeAt(at) > 0x7f) return false;
  return true;
}
