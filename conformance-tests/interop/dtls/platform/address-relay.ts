/** Stands between a client and a server on loopback: counts protected records of the client and changes the port it sends them from, as a NAT does. */
import { createSocket, type Socket } from "node:dgram";
import { loopback } from "./our-dtls.ts";

const protectedTypes: ReadonlySet<number> = new Set([23, 25]);
const epochOffset = 3;

export class AddressRelay {
  /** Ports the server has seen. */
  readonly ports: number[] = [];
  readonly #front: Socket;
  readonly #server: number;
  readonly #rebindAfter: number;
  /** Every socket used so far; the last one sends. */
  readonly #backs: Socket[] = [];
  #client = 0;
  #records = 0;
  #isRebound = false;

  private constructor(front: Socket, server: number, rebindAfter: number) {
    this.#front = front;
    this.#server = server;
    this.#rebindAfter = rebindAfter;
  }

  /** After that many protected datagrams of the client (Finished is one where it is of type 25) the next goes out from another port. */
  static async open(server: number, rebindAfter: number): Promise<AddressRelay> {
    const front = createSocket("udp4");
    const relay = new AddressRelay(front, server, rebindAfter);
    await new Promise<void>((resolve) => front.bind(0, loopback, resolve));
    await relay.#takeNewPort();
    front.on("message", (bytes, from) => void relay.#forward(bytes, from.port));
    return relay;
  }

  get port(): number {
    return this.#front.address().port;
  }

  close(): void {
    this.#front.close();
    for (const back of this.#backs) back.close();
  }

  async #forward(bytes: Buffer, client: number): Promise<void> {
    this.#client = client;
    const isData = protectedTypes.has(bytes[0] ?? 0) && bytes.readUInt16BE(epochOffset) === 1;
    if (isData && this.#records++ === this.#rebindAfter && !this.#isRebound) {
      this.#isRebound = true;
      await this.#takeNewPort();
    }
    this.#backs.at(-1)?.send(bytes, this.#server, loopback);
  }

  async #takeNewPort(): Promise<void> {
    const back = createSocket("udp4");
    await new Promise<void>((resolve) => back.bind(0, loopback, resolve));
    // What still comes to an old port is lost, as behind a NAT that has forgotten it.
    back.on("message", (bytes) => {
      if (back === this.#backs.at(-1)) this.#front.send(bytes, this.#client, loopback);
    });
    this.#backs.push(back);
    this.ports.push(back.address().port);
  }
}
