/** Between a driver and its MongoDB-wire server: counts the messages that pass to the server, and can hold one up for good. */
import { connect, createServer, type Server, type Socket } from "node:net";

/** The length of a message stands in its first four bytes, little-endian (MongoDB wire protocol, MsgHeader). */
const lengthBytes = 4;

export class MessageProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #messages = 0;
  #last: { readonly nth: number; readonly reached: () => void } | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(serverPort: number): Promise<MessageProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");
    const proxy = new MessageProxy(server, address.port);
    server.on("connection", (client) => proxy.#join(client, serverPort));
    return proxy;
  }

  /** Since the last call of `holdBack`, or the opening. */
  get messages(): number {
    return this.#messages;
  }

  /** Counts anew; the nth message from now on and all behind it stay here. Resolves when it has come. */
  holdBack(nth: number): Promise<void> {
    this.#messages = 0;
    return new Promise((resolve) => {
      this.#last = { nth, reached: resolve };
    });
  }

  letPass(): void {
    this.#last = undefined;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, serverPort: number): void {
    const server = connect(serverPort, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    server.on("data", (bytes) => client.write(bytes));
    let waiting = Buffer.alloc(0);
    client.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= lengthBytes && waiting.length >= waiting.readUInt32LE()) {
        const message = waiting.subarray(0, waiting.readUInt32LE());
        waiting = waiting.subarray(message.length);
        if (this.#passes()) server.write(message);
      }
    });
  }

  #passes(): boolean {
    this.#messages += 1;
    if (this.#last === undefined || this.#messages < this.#last.nth) return true;
    this.#last.reached();
    return false;
  }
}
