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
export const nonConfirmable = 1;
export const acknowledgement = 2;
export const reset = 3;

/** Request and response codes (RFC 7252 §12.1, RFC 8132 §6) as they stand on the wire. */
export const wireCode = {
  get: 0x01,
  post: 0x02,
  put: 0x03,
  delete: 0x04,
  fetch: 0x05,
  created: 0x41,
  deleted: 0x42,
  changed: 0x44,
  content: 0x45,
  badRequest: 0x80,
  unauthorized: 0x81,
  badOption: 0x82,
  notFound: 0x84,
  methodNotAllowed: 0x85,
  notAcceptable: 0x86,
  unsupportedContentFormat: 0x8f,
  notImplemented: 0xa1,
} as const;

/** Option numbers (RFC 7252 §12.2, RFC 7641 §2). */
export const wireOption = { observe: 6, locationPath: 8, uriPath: 11, contentFormat: 12, uriQuery: 15, accept: 17 } as const;

/** Content-Formats of LwM2M 1.1 (LwM2M Core 1.1 §7.4). */
export const wireFormat = { text: 0, linkFormat: 40, cbor: 60, senmlJson: 110, tlv: 11_542 } as const;

const utf8 = new TextEncoder();

export function textOption(number: number, value: string): WireOption {
  return { number, value: utf8.encode(value) };
}

export function uintOption(number: number, value: number): WireOption {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return { number, value: Uint8Array.from(bytes) };
}

/** The text values of an option, in order. */
export function textValues({ options }: WireMessage, number: number): readonly string[] {
  return options.filter((option) => option.number === number).map(({ value }) => new TextDecoder().decode(value));
}

/** The value of an option as a number; undefined when it is not there. */
export function uintValue({ options }: WireMessage, number: number): number | undefined {
  const option = options.find((each) => each.number === number);
  return option?.value.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The empty message that acknowledges or rejects one (RFC 7252 §4.2, §4.3). */
export function emptyReply({ messageId }: WireMessage, kind: "acknowledgement" | "reset"): WireMessage {
  const type = kind === "reset" ? reset : acknowledgement;
  return { type, code: 0, messageId, token: new Uint8Array(), options: [], payload: new Uint8Array() };
}

/** The piggybacked response to a confirmable request, a non-confirmable one to a non-confirmable. */
export function responseTo(
  { type, messageId, token }: WireMessage,
  code: number,
  options: readonly WireOption[] = [],
  payload = new Uint8Array(),
): WireMessage {
  return { type: type === confirmable ? acknowledgement : nonConfirmable, code, messageId, token, options, payload };
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
