/**
 * A device that is only a script: it reads and writes CoAP bytes itself (RFC 7252 §3), so that nothing it does comes from the code
 * under test. Every request it gets is written down, and answered as the script says.
 */
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export interface DeviceRequest {
  /** `PUT /0/1 format 11542`; `accept 40` where asked for. */
  readonly line: string;
  readonly payload: Uint8Array;
}

export interface DeviceAnswer {
  /** `2.04`. */
  readonly code: string;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
}

/** Undefined: silence. */
export type DeviceScript = (request: DeviceRequest) => DeviceAnswer | undefined;

interface Message {
  readonly type: number;
  readonly code: number;
  readonly messageId: number;
  readonly token: Uint8Array;
  readonly options: readonly { readonly number: number; readonly value: Uint8Array }[];
  readonly payload: Uint8Array;
}

const methods: Readonly<Record<number, string>> = { 1: "GET", 2: "POST", 3: "PUT", 4: "DELETE" };
const option = { uriPath: 11, contentFormat: 12, uriQuery: 15, accept: 17 } as const;
const messageType = { confirmable: 0, nonConfirmable: 1, acknowledgement: 2 } as const;

export class ScriptedDevice {
  /** Everything in the order it arrived, repetitions included: requests, and `-> 2.04` for replies to the device's own. */
  readonly seen: string[] = [];
  readonly payloads: Uint8Array[] = [];
  /** The payload of the last reply, as text. */
  lastReply = "";
  readonly #socket: DatagramSocket;
  readonly #server: SocketAddress;
  readonly #script: DeviceScript;
  #nextMessageId = 1;

  constructor(socket: DatagramSocket, server: SocketAddress, script: DeviceScript) {
    this.#socket = socket;
    this.#server = server;
    this.#script = script;
    socket.onDatagram((bytes) => this.#onDatagram(bytes.slice()));
  }

  get local(): SocketAddress {
    return this.#socket.local;
  }

  /** `POST /<path>?<query>`; with `messageId` an earlier one is repeated. */
  post(path: string, query: readonly string[], how: { readonly confirmable?: boolean; readonly messageId?: number } = {}): void {
    const options = [
      { number: option.uriPath, value: text(path) },
      ...query.map((part) => ({ number: option.uriQuery, value: text(part) })),
    ];
    const type = how.confirmable === false ? messageType.nonConfirmable : messageType.confirmable;
    const messageId = how.messageId ?? this.#nextMessageId++;
    this.#send({ type, code: 0x02, messageId, token: new Uint8Array([messageId]), options, payload: new Uint8Array() });
  }

  get(path: readonly string[]): void {
    const options = path.map((segment) => ({ number: option.uriPath, value: text(segment) }));
    const messageId = this.#nextMessageId++;
    this.#send({
      type: messageType.confirmable,
      code: 0x01,
      messageId,
      token: new Uint8Array([messageId]),
      options,
      payload: new Uint8Array(),
    });
  }

  close(): Promise<void> {
    return this.#socket.close();
  }

  #onDatagram(bytes: Uint8Array): void {
    const message = parseMessage(bytes);
    if (message.code >> 5 !== 0) {
      this.seen.push(`-> ${message.code >> 5}.${String(message.code & 31).padStart(2, "0")}`);
      this.lastReply = new TextDecoder().decode(message.payload);
      return;
    }
    const request = { line: lineOf(message), payload: message.payload };
    this.seen.push(request.line);
    this.payloads.push(request.payload);
    const answer = this.#script(request);
    if (answer === undefined) return;
    const [major = "", minor = ""] = answer.code.split(".");
    const format =
      answer.contentFormat === undefined ? [] : [{ number: option.contentFormat, value: new Uint8Array([answer.contentFormat]) }];
    this.#send({
      type: messageType.acknowledgement,
      code: (Number(major) << 5) | Number(minor),
      messageId: message.messageId,
      token: message.token,
      options: format,
      payload: answer.payload ?? new Uint8Array(),
    });
  }

  #send(message: Message): void {
    this.#socket.send(encodeMessage(message), this.#server);
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function lineOf({ code, options }: Message): string {
  const path = options.filter(({ number }) => number === option.uriPath).map(({ value }) => new TextDecoder().decode(value));
  const number = (wanted: number, label: string): string => {
    const found = options.find((candidate) => candidate.number === wanted);
    return found === undefined ? "" : ` ${label} ${found.value.reduce((sum, byte) => sum * 256 + byte, 0)}`;
  };
  return `${methods[code] ?? code} /${path.join("/")}${number(option.contentFormat, "format")}${number(option.accept, "accept")}`;
}

function encodeMessage({ type, code, messageId, token, options, payload }: Message): Uint8Array {
  const bytes = [0x40 | (type << 4) | token.length, code, messageId >> 8, messageId & 0xff, ...token];
  let last = 0;
  for (const { number, value } of options) {
    const long = value.length >= 13;
    bytes.push(((number - last) << 4) | (long ? 13 : value.length), ...(long ? [value.length - 13] : []), ...value);
    last = number;
  }
  if (payload.length > 0) bytes.push(0xff, ...payload);
  return new Uint8Array(bytes);
}

function parseMessage(bytes: Uint8Array): Message {
  let at = 0;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw new Error(`the server sent a message that ends at ${bytes.length}`);
    return value;
  };
  const take = (length: number): Uint8Array => Uint8Array.from({ length }, byte);
  const extended = (nibble: number): number => (nibble < 13 ? nibble : nibble === 13 ? byte() + 13 : byte() * 256 + byte() + 269);
  const first = byte();
  const code = byte();
  const messageId = byte() * 256 + byte();
  const token = take(first & 0x0f);
  const options: { number: number; value: Uint8Array }[] = [];
  let number = 0;
  while (at < bytes.length) {
    const head = byte();
    if (head === 0xff) break;
    number += extended(head >> 4);
    options.push({ number, value: take(extended(head & 0x0f)) });
  }
  return { type: (first >> 4) & 3, code, messageId, token, options, payload: bytes.slice(at) };
}
