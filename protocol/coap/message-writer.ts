/**
 * Messages into one reused buffer (RFC 7252 §3). On the path of every reply: no object per option, no copy of the result.
 * Options are written in ascending order; `extras` given at the start are woven in where they belong.
 */

import { PrefixViews } from "../bytes/prefix-views.ts";
import type { CoapOption } from "./message.ts";
import { longestTokenBytes } from "./message-view.ts";
import { uintLength } from "./options.ts";

/** The largest UDP datagram over IPv4. */
const largestMessageBytes = 65_507;
const versionBits = 0x40;
const payloadMarker = 0xff;
const oneByteExtension = 13;
const twoByteExtension = 14;
const twoByteBase = 269;

const encoder = new TextEncoder();

export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #views: PrefixViews;
  #position = 0;
  #lastOption = 0;
  #extras: readonly CoapOption[] = [];
  #nextExtra = 0;

  constructor(capacityBytes: number = largestMessageBytes) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#views = new PrefixViews(this.#bytes);
  }

  /** The token is the `tokenLength` bytes of `token` from `tokenOffset`. */
  begin(type: number, code: number, messageId: number, token: Uint8Array, tokenOffset = 0, tokenLength = token.length): void {
    if (tokenLength > longestTokenBytes) throw new RangeError(`token of ${tokenLength} bytes, at most ${longestTokenBytes}`);
    const bytes = this.#bytes;
    bytes[0] = versionBits | (type << 4) | tokenLength;
    bytes[1] = code;
    bytes[2] = messageId >> 8;
    bytes[3] = messageId & 0xff;
    for (let i = 0; i < tokenLength; i++) bytes[4 + i] = token[tokenOffset + i] ?? 0;
    this.#position = 4 + tokenLength;
    this.#lastOption = 0;
    this.#extras = noExtras;
    this.#nextExtra = 0;
  }

  /** Options in any order, written among the others by their number. Call right after `begin`. */
  weave(extras: readonly CoapOption[]): void {
    this.#extras = [...extras].sort((left, right) => left.number - right.number);
  }

  uint(number: number, value: number): void {
    const length = uintLength(value);
    this.#header(number, length);
    for (let shift = 8 * (length - 1); shift >= 0; shift -= 8) this.#bytes[this.#position++] = (value >>> shift) & 0xff;
  }

  opaque(number: number, value: Uint8Array): void {
    this.#header(number, value.length);
    this.#bytes.set(value, this.#position);
    this.#position += value.length;
  }

  text(number: number, value: string): void {
    this.opaque(number, encoder.encode(value));
  }

  payload(value: Uint8Array): void {
    if (this.#nextExtra < this.#extras.length) this.#flushExtras(Number.POSITIVE_INFINITY);
    if (value.length === 0) return;
    this.#reserve(value.length + 1);
    this.#bytes[this.#position++] = payloadMarker;
    this.#bytes.set(value, this.#position);
    this.#position += value.length;
  }

  /** A view of the message, valid until the next `begin`. */
  finish(): Uint8Array {
    if (this.#nextExtra < this.#extras.length) this.#flushExtras(Number.POSITIVE_INFINITY);
    return this.#views.upTo(this.#position);
  }

  #header(number: number, length: number): void {
    if (this.#nextExtra < this.#extras.length) this.#flushExtras(number);
    this.#writeHeader(number, length);
  }

  #writeHeader(number: number, length: number): void {
    const delta = number - this.#lastOption;
    if (delta < 0) throw new RangeError(`option ${number} after option ${this.#lastOption}`);
    this.#reserve(length + 5);
    const at = this.#position++;
    this.#bytes[at] = (this.#extend(delta) << 4) | this.#extend(length);
    this.#lastOption = number;
  }

  /** Writes the extension bytes and returns the nibble. */
  #extend(value: number): number {
    if (value < oneByteExtension) return value;
    if (value < twoByteBase) {
      this.#bytes[this.#position++] = value - oneByteExtension;
      return oneByteExtension;
    }
    this.#bytes[this.#position++] = (value - twoByteBase) >> 8;
    this.#bytes[this.#position++] = (value - twoByteBase) & 0xff;
    return twoByteExtension;
  }

  #flushExtras(below: number): void {
    for (let extra = this.#extras[this.#nextExtra]; extra !== undefined && extra.number < below; extra = this.#extras[this.#nextExtra]) {
      this.#nextExtra++;
      this.#writeHeader(extra.number, extra.value.length);
      this.#bytes.set(extra.value, this.#position);
      this.#position += extra.value.length;
    }
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes > this.#bytes.length) throw new RangeError(`message larger than ${this.#bytes.length} bytes`);
  }
}

const noExtras: readonly CoapOption[] = [];
