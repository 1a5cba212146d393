/**
 * A device of a storm: bytes of Register and Update, and the rules of a confirmable request (RFC 7252 §4.2), nothing more. Twenty thousand
 * of them fit in a test. It comes back when Max-Age says so, and a minute after it gave up (LwM2M Core 1.1 §6.2.1.1, retry timer).
 */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { MessageType, MessageView } from "@lwm2m/protocol/coap/message-view";
import { MessageWriter } from "@lwm2m/protocol/coap/message-writer";
import { OptionNumber } from "@lwm2m/protocol/coap/options";
import { defaultParameters } from "@lwm2m/protocol/coap/parameters";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";

export interface LightDeviceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly socket: DatagramSocket;
  readonly server: SocketAddress;
  readonly endpoint: string;
}

interface Exchange {
  readonly bytes: Uint8Array;
  readonly token: number;
  readonly beganAt: number;
  resends: number;
  timeoutMs: number;
  timer: Timer;
}

const retryMs = 60_000;
const links = new TextEncoder().encode("</1/0>,</3/0>");
const view = new MessageView();
const writer = new MessageWriter();

export class LightDevice {
  readonly #parts: LightDeviceParts;
  #exchange: Exchange | undefined;
  #pause: Timer | undefined;
  #sent = 0;
  /** Below `/rd`. */
  location: string | undefined;
  registeredAt: number | undefined;
  readonly putOffSeconds: number[] = [];
  /** Requests that were never answered. */
  givenUp = 0;
  readonly updateLatenciesMs: number[] = [];
  readonly otherCodes: number[] = [];

  constructor(parts: LightDeviceParts) {
    this.#parts = parts;
    parts.socket.onDatagram((bytes, from) => this.#receive(bytes, from));
  }

  register(): void {
    this.#begin(["rd"], [`ep=${this.#parts.endpoint}`, "lt=86400", "lwm2m=1.1", "b=U"], links);
  }

  update(): void {
    this.#begin(["rd", this.location ?? ""], [], new Uint8Array(0));
  }

  close(): Promise<void> {
    this.#exchange?.timer.cancel();
    this.#pause?.cancel();
    return this.#parts.socket.close();
  }

  #begin(path: readonly string[], query: readonly string[], payload: Uint8Array): void {
    const { clock, random } = this.#parts;
    this.#sent += 1;
    const token = this.#sent & 0xffff;
    writer.begin(MessageType.confirmable, Method.post, token, Uint8Array.of(token >> 8, token & 255));
    for (const segment of path) writer.text(OptionNumber.uriPath, segment);
    if (payload.length > 0) writer.uint(OptionNumber.contentFormat, 40);
    for (const parameter of query) writer.text(OptionNumber.uriQuery, parameter);
    if (payload.length > 0) writer.payload(payload);
    const { ackTimeoutMs, ackRandomFactor } = defaultParameters;
    const timeoutMs = ackTimeoutMs * (1 + random.fraction() * (ackRandomFactor - 1));
    const bytes = writer.finish().slice();
    const timer = clock.after(timeoutMs, () => this.#onTimeout());
    this.#exchange = { bytes, token, beganAt: clock.now(), resends: 0, timeoutMs, timer };
    this.#send(bytes);
  }

  #onTimeout(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (exchange.resends === defaultParameters.maxRetransmit) {
      this.#exchange = undefined;
      this.givenUp += 1;
      this.#again(retryMs);
      return;
    }
    exchange.resends += 1;
    exchange.timeoutMs *= 2;
    exchange.timer = this.#parts.clock.after(exchange.timeoutMs, () => this.#onTimeout());
    this.#send(exchange.bytes);
  }

  #receive(bytes: Uint8Array, from: SocketAddress): void {
    view.decode(bytes);
    const { type, code, messageId } = view;
    if (type === MessageType.confirmable) {
      this.#parts.socket.send(Uint8Array.of(0x60, 0, messageId >> 8, messageId & 255), from);
    }
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (code === 0) {
      // An empty acknowledgement: the answer comes by itself, and is not asked for again (RFC 7252 §5.2.2).
      exchange.timer.cancel();
      exchange.timer = this.#parts.clock.after(retryMs, () => {
        exchange.resends = defaultParameters.maxRetransmit;
        this.#onTimeout();
      });
      return;
    }
    const token = view.token();
    if ((token[0] ?? 0) * 256 + (token[1] ?? 0) !== exchange.token) return;
    exchange.timer.cancel();
    this.#exchange = undefined;
    this.#answered(code, exchange);
  }

  #answered(code: number, { beganAt }: Exchange): void {
    const nowMs = this.#parts.clock.now();
    if (code === ResponseCode.created) {
      this.location = this.#option(OptionNumber.locationPath);
      this.registeredAt = nowMs;
    } else if (code === ResponseCode.changed) {
      this.updateLatenciesMs.push(nowMs - beganAt);
    } else if (code === ResponseCode.serviceUnavailable) {
      const seconds = this.#maxAgeSeconds();
      this.putOffSeconds.push(seconds);
      this.#again(seconds * 1_000);
    } else {
      this.otherCodes.push(code);
    }
  }

  #again(delayMs: number): void {
    this.#pause = this.#parts.clock.after(delayMs, () => (this.location === undefined ? this.register() : this.update()));
  }

  /** The last one: of a Location-Path the part behind `rd`. */
  #option(number: number): string | undefined {
    for (let index = view.optionCount - 1; index >= 0; index -= 1) {
      if (view.optionNumbers[index] === number) return new TextDecoder().decode(view.optionValue(index));
    }
    return undefined;
  }

  #maxAgeSeconds(): number {
    for (let index = 0; index < view.optionCount; index += 1) {
      if (view.optionNumbers[index] === OptionNumber.maxAge) return view.optionUint(index);
    }
    return 60;
  }

  #send(bytes: Uint8Array): void {
    this.#parts.socket.send(bytes, this.#parts.server);
  }
}
