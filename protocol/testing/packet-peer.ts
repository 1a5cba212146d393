/** A scripted peer whose messages npm `coap-packet` builds and reads: a codec that is not ours. */
import coapPacket, { type Option, type ParsedPacket } from "coap-packet";
import type { ScriptedPeer } from "./scripted-peer.ts";

export interface PacketRequest {
  readonly code: string;
  /** `/a/b`. */
  readonly path?: string;
  readonly query?: readonly string[];
  readonly type?: "CON" | "NON";
  readonly token?: string;
  readonly options?: readonly (readonly [name: string, value: Uint8Array])[];
  readonly payload?: Uint8Array | string;
}

export interface PacketResponse {
  readonly code: string;
  readonly type?: "CON" | "NON" | "ACK";
  readonly options?: readonly (readonly [name: string, value: Uint8Array])[];
  readonly payload?: Uint8Array | string;
}

export interface PacketAnswer {
  readonly type: "CON" | "NON" | "ACK" | "RST";
  readonly code: string;
  readonly messageId: number;
  readonly token: string;
  readonly payload: string;
  readonly hex: string;
  all(name: string): string[];
  /** The first option of that name as a number, undefined without one. */
  uint(name: string): number | undefined;
}

export class PacketPeer {
  readonly #peer: ScriptedPeer;
  #messageId = 1_000;

  constructor(peer: ScriptedPeer) {
    this.#peer = peer;
  }

  /** The hex of a request, under the next message id. */
  encode({ code, path = "", query = [], type = "CON", token = "77", options = [], payload = "" }: PacketRequest): string {
    const named: Option[] = [
      ...path
        .split("/")
        .filter((segment) => segment !== "")
        .map((segment) => ({ name: "Uri-Path", value: Buffer.from(segment) })),
      ...query.map((argument) => ({ name: "Uri-Query", value: Buffer.from(argument) })),
      ...options.map(([name, value]) => ({ name, value: Buffer.from(value) })),
    ];
    return coapPacket
      .generate({
        code,
        confirmable: type === "CON",
        messageId: this.#messageId++,
        token: Buffer.from(token, "hex"),
        options: named,
        payload: Buffer.from(payload),
      })
      .toString("hex");
  }

  async ask(request: PacketRequest, ms = 100): Promise<PacketAnswer[]> {
    return (await this.#peer.ask(this.encode(request), ms)).map(read);
  }

  /** The one answer; throws when there is none or more than one. */
  async askOne(request: PacketRequest, ms = 100): Promise<PacketAnswer> {
    const [answer, ...more] = await this.ask(request, ms);
    if (answer === undefined || more.length > 0)
      throw new Error(`${answer === undefined ? 0 : 1 + more.length} answers to ${request.code} ${request.path}`);
    return answer;
  }

  async listen(ms = 100): Promise<PacketAnswer[]> {
    return (await this.#peer.listen(ms)).map(read);
  }

  acknowledge(answer: PacketAnswer): void {
    this.#peer.send(`6000${answer.messageId.toString(16).padStart(4, "0")}`);
  }

  reset(answer: PacketAnswer): void {
    this.#peer.send(`7000${answer.messageId.toString(16).padStart(4, "0")}`);
  }

  /** Answers a request that was heard: piggybacked unless `type` says otherwise. Returns the hex, for sending it again. */
  respond(request: PacketAnswer, { code, type = "ACK", options = [], payload = "" }: PacketResponse): string {
    const hex = coapPacket
      .generate({
        code,
        confirmable: type === "CON",
        ack: type === "ACK",
        messageId: type === "ACK" ? request.messageId : this.#messageId++,
        token: Buffer.from(request.token, "hex"),
        options: options.map(([name, value]) => ({ name, value: Buffer.from(value) })),
        payload: Buffer.from(payload),
      })
      .toString("hex");
    this.#peer.send(hex);
    return hex;
  }

  sendAgain(hex: string): void {
    this.#peer.send(hex);
  }
}

function read(hex: string): PacketAnswer {
  const packet: ParsedPacket = coapPacket.parse(Buffer.from(hex, "hex"));
  const valuesOf = (name: string): Buffer[] =>
    packet.options.filter((option) => option.name === name).map((option) => Buffer.from(option.value));
  return {
    type: packet.confirmable ? "CON" : packet.ack ? "ACK" : packet.reset ? "RST" : "NON",
    code: packet.code,
    messageId: packet.messageId,
    token: packet.token.toString("hex"),
    payload: packet.payload.toString(),
    hex,
    all: (name) => valuesOf(name).map(String),
    uint: (name) => valuesOf(name).map((value) => value.reduce((sum, byte) => sum * 256 + byte, 0))[0],
  };
}
