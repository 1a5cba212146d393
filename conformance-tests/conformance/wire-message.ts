/**
 * CoAP messages for scripted peers (RFC 7252 §3), apart from the codec of the product on purpose: a fault in that one
 * cannot hide itself here. Reads what a correct server sends; writes anything, also what a correct client never would.
 */

export interface WireOption {
  readonly number: number;
  readonly value: Uint8Array;
}

export interface WireMessage {
  /** 0 CON, 1 NON, 2 ACK, 3 RST. */
  readonly type: number;
  /** `0x02` POST, `0x44` 2.04. */
  readonly code: number;
  readonly messageId: number;
  readonly token: Uint8Array;
  readonly options: readonly WireOption[];
  readonly payload: Uint8Array;
}

export const confirmable = 0;
export const acknowledgement = 2;
export const reset = 3;

const utf8 = new TextEncoder();

export function textOption(number: number, value: string): WireOption {
  return { number, value: utf8.encode(value) };
}

export function uintOption(number: number, value: number): WireOption {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return { number, value: Uint8Array.from(bytes) };
}

export function encodeWireMessage(message: WireMessage): Uint8Array {
  const bytes = [
    0x40 | (message.type << 4) | message.token.length,
    message.code,
    message.messageId >> 8,
    message.messageId & 0xff,
    ...message.token,
  ];
  let previous = 0;
  for (const option of [...message.options].sort((a, b) => a.number - b.number)) {
    const delta = nibble(option.number - previous);
    const length = nibble(option.value.length);
    bytes.push((delta.nibble << 4) | length.nibble, ...delta.extension, ...length.extension, ...option.value);
    previous = option.number;
  }
  if (message.payload.length > 0) bytes.push(0xff, ...message.payload);
  return Uint8Array.from(bytes);
}

/** Throws a RangeError on bytes that are no CoAP message. */
export function decodeWireMessage(bytes: Uint8Array): WireMessage {
  const [first = 0, code = 0, high = 0, low = 0] = bytes;
  if (bytes.length < 4 || first >> 6 !== 1) throw new RangeError("no CoAP header");
  let at = 4 + (first & 0x0f);
  const token = bytes.subarray(4, at);
  const options: WireOption[] = [];
  let number = 0;
  while (at < bytes.length && bytes[at] !== 0xff) {
    const head = bytes[at++] ?? 0;
    const [delta, afterDelta] = extended(bytes, at, head >> 4);
    const [length, afterLength] = extended(bytes, afterDelta, head & 0x0f);
    number += delta;
    at = afterLength + length;
    if (at > bytes.length) throw new RangeError("an option reaches beyond the message");
    options.push({ number, value: bytes.subarray(afterLength, at) });
  }
  const payload = at < bytes.length ? bytes.subarray(at + 1) : new Uint8Array();
  return { type: (first >> 4) & 3, code, messageId: (high << 8) | low, token, options, payload };
}

/** `2.04` */
export function codeText(code: number): string {
  return `${code >> 5}.${String(code & 0x1f).padStart(2, "0")}`;
}

/** Extended values of option delta and length (RFC 7252 §3.1). */
function nibble(value: number): { readonly nibble: number; readonly extension: readonly number[] } {
  if (value < 13) return { nibble: value, extension: [] };
  if (value < 269) return { nibble: 13, extension: [value - 13] };
  return { nibble: 14, extension: [(value - 269) >> 8, (value - 269) & 0xff] };
}

function extended(bytes: Uint8Array, at: number, value: number): readonly [value: number, next: number] {
  if (value < 13) return [value, at];
  if (value === 13) return [(bytes[at] ?? 0) + 13, at + 1];
  if (value === 14) return [((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0) + 269, at + 2];
  throw new RangeError("a reserved option nibble");
}
