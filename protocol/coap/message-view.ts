/**
 * One received datagram, taken apart strictly (RFC 7252 §3) without an object per option.
 *
 * This file is on the path of every datagram, so plain style yields to speed: one view is decoded into again and again,
 * options are three typed arrays (number, offset, length), token and payload are places in the datagram.
 */
import { findUtf8 } from "../bytes/utf8.ts";
import { type CoapFault, CoapFormatError } from "./format-error.ts";

export const MessageType = { confirmable: 0, nonConfirmable: 1, acknowledgement: 2, reset: 3 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

export const headerBytes = 4;
/** RFC 7252 §3: lengths 9–15 are reserved. */
export const longestTokenBytes = 8;
/** A request with more is refused: a Register with every attribute needs about 12. */
const mostOptions = 128;
const highestOptionNumber = 0xffff;

/** What two-byte and one-byte extensions of an option nibble add (RFC 7252 §3.1). */
const oneByteExtension = 13;
const twoByteExtension = 14;
const reservedNibble = 15;
const twoByteBase = 269;
const payloadMarker = 0xff;

/** Up to this many bytes, a copy byte by byte is cheaper than a view. */
const mostCopiedBytes = 32;

const nothing = new Uint8Array(0);

export class MessageView {
  bytes: Uint8Array = nothing;
  /** The datagrams are ours to keep: a payload need not be copied. */
  ownsBytes = false;
  /** 0 CON, 1 NON, 2 ACK, 3 RST. */
  type = 0;
  code = 0;
  messageId = 0;
  tokenLength = 0;
  optionCount = 0;
  payloadOffset = 0;
  payloadLength = 0;
  readonly optionNumbers = new Uint16Array(mostOptions);
  readonly optionOffsets = new Uint16Array(mostOptions);
  readonly optionLengths = new Uint16Array(mostOptions);
  #position = 0;

  /** Reads `bytes` into this view, which stays valid as long as they do. Throws CoapFormatError; `messageId` is then right if the answer is `reset`. */
  decode(bytes: Uint8Array): void {
    this.bytes = bytes;
    const length = bytes.length;
    if (length < headerBytes) throw new CoapFormatError("too-short", "silence", `${length} bytes, a header needs ${headerBytes}`);
    const first = byteAt(bytes, 0);
    // RFC 7252 §3: messages with unknown version numbers must be silently ignored.
    if (first >> 6 !== 1) throw new CoapFormatError("version", "silence", `version ${first >> 6}, expected 1`);
    this.type = (first >> 4) & 3;
    this.tokenLength = first & 0x0f;
    this.code = byteAt(bytes, 1);
    this.messageId = byteAt(bytes, 2) * 256 + byteAt(bytes, 3);
    this.optionCount = 0;
    this.payloadOffset = length;
    this.payloadLength = 0;
    if (this.tokenLength > longestTokenBytes) throw this.#fault("token-length", `token length ${this.tokenLength}, at most 8`);
    this.#checkKind(length);
    if (headerBytes + this.tokenLength > length)
      throw this.#fault("truncated-token", `token length ${this.tokenLength}, ${length - headerBytes} left`);
    this.#readOptions(headerBytes + this.tokenLength);
  }

  /** A copy of its own. */
  token(): Uint8Array {
    return copyOf(this.bytes, headerBytes, this.tokenLength);
  }

  /** Bytes that nobody else changes: the datagram's own, where it is kept for little more than them, or a copy. */
  payload(): Uint8Array {
    const { bytes, payloadLength, payloadOffset } = this;
    if (payloadLength === 0) return nothing;
    if (this.ownsBytes && payloadLength > mostCopiedBytes && payloadLength * 2 >= bytes.length)
      return new Uint8Array(bytes.buffer, bytes.byteOffset + payloadOffset, payloadLength);
    return copyOf(bytes, payloadOffset, payloadLength);
  }

  /** A copy of its own. */
  optionValue(index: number): Uint8Array {
    return copyOf(this.bytes, this.optionOffsets[index] ?? 0, this.optionLengths[index] ?? 0);
  }

  hasOption(number: number): boolean {
    for (let i = 0; i < this.optionCount; i++) if (this.optionNumbers[i] === number) return true;
    return false;
  }

  optionUint(index: number): number {
    const offset = this.optionOffsets[index] ?? 0;
    const end = offset + (this.optionLengths[index] ?? 0);
    let value = 0;
    for (let at = offset; at < end; at++) value = value * 256 + byteAt(this.bytes, at);
    return value;
  }

  /** Undefined when the value is no UTF-8 (RFC 7252 §3.2). */
  findOptionText(index: number): string | undefined {
    const offset = this.optionOffsets[index] ?? 0;
    return findText(this.bytes, offset, offset + (this.optionLengths[index] ?? 0));
  }

  /** RFC 7252 §4.1, §4.2, §4.3, table 1: which code may stand in which type. */
  #checkKind(length: number): void {
    if (this.code === 0) {
      if (this.type === MessageType.nonConfirmable) throw this.#fault("type", "an empty message cannot be non-confirmable");
      if (length !== headerBytes || this.tokenLength !== 0)
        throw this.#fault("empty-with-content", `empty message of ${length} bytes, expected 4`);
      return;
    }
    const kind = this.code >> 5;
    if (kind === 1 || kind === 3 || kind > 5) throw this.#fault("code", `code class ${kind} is reserved`);
    if (this.type === MessageType.reset) throw this.#fault("type", "a reset must be empty");
    if (this.type === MessageType.acknowledgement && kind === 0) throw this.#fault("type", "an acknowledgement cannot carry a request");
  }

  #readOptions(start: number): void {
    const bytes = this.bytes;
    const end = bytes.length;
    let number = 0;
    let count = 0;
    this.#position = start;
    while (this.#position < end) {
      const head = byteAt(bytes, this.#position++);
      if (head === payloadMarker) {
        // RFC 7252 §3: a marker followed by a zero-length payload is a format error.
        if (this.#position === end) throw this.#fault("empty-payload", "payload marker without a payload");
        this.payloadOffset = this.#position;
        this.payloadLength = end - this.#position;
        break;
      }
      const deltaNibble = head >> 4;
      const lengthNibble = head & 0x0f;
      number += deltaNibble < oneByteExtension ? deltaNibble : this.#extended(deltaNibble);
      const length = lengthNibble < oneByteExtension ? lengthNibble : this.#extended(lengthNibble);
      if (number > highestOptionNumber) throw this.#fault("option-number", `option number ${number}, at most 65535`);
      if (length > end - this.#position)
        throw this.#fault("truncated-option", `option ${number}: length ${length}, ${end - this.#position} left`);
      if (count === mostOptions) throw this.#fault("too-many-options", `more than ${mostOptions} options`);
      this.optionNumbers[count] = number;
      this.optionOffsets[count] = this.#position;
      this.optionLengths[count] = length;
      count++;
      this.#position += length;
    }
    this.optionCount = count;
  }

  #extended(nibble: number): number {
    if (nibble === reservedNibble) throw this.#fault("option-header", "option nibble 15 is reserved");
    const wide = nibble === twoByteExtension;
    if (this.#position + (wide ? 2 : 1) > this.bytes.length) throw this.#fault("truncated-option", "option header cut short");
    const high = byteAt(this.bytes, this.#position++);
    return wide ? high * 256 + byteAt(this.bytes, this.#position++) + twoByteBase : high + oneByteExtension;
  }

  #fault(code: CoapFault, message: string): CoapFormatError {
    return new CoapFormatError(code, this.type === MessageType.confirmable ? "reset" : "silence", message);
  }
}

/** Only for offsets already checked against the length. */
function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

/** A plain Uint8Array, whatever kind of array the datagram came in. */
function copyOf(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  if (length > mostCopiedBytes) copy.set(bytes.subarray(offset, offset + length));
  else for (let i = 0; i < length; i++) copy[i] = bytes[offset + i] ?? 0;
  return copy;
}

/** Path segments are nearly always short ASCII, which a loop reads faster than the decoder does. */
function findText(bytes: Uint8Array, offset: number, end: number): string | undefined {
  let text = "";
  for (let at = offset; at < end; at++) {
    const byte = byteAt(bytes, at);
    if (byte > 0x7f) return findUtf8(bytes.subarray(offset, end));
    text += String.fromCharCode(byte);
  }
  return text;
}
