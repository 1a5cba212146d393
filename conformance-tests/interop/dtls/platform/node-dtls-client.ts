/** node-dtls-client 1.1.1, in this process. */
import { createRequire } from "node:module";
import { eventually } from "../../platform/deadline.ts";
import { nodeDtlsClientEntry } from "../../platform/locations.ts";
import { clientPsk } from "../credentials.ts";
import type { Wish } from "../wish.ts";
import { loopback } from "./our-dtls.ts";
import type { DtlsPeer, PeerClient } from "./peer.ts";

/** As much of its interface as is used here. */
interface ClientSocket {
  on(event: "connected" | "close", listener: () => void): void;
  on(event: "message", listener: (bytes: Buffer) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  send(bytes: Buffer): void;
  close(): void;
}
interface ClientModule {
  readonly dtls: { createSocket(options: { readonly [name: string]: unknown }): ClientSocket };
}

const names = new Map([
  [0xc0a8, "TLS_PSK_WITH_AES_128_CCM_8"],
  [0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256"],
  [0x00ae, "TLS_PSK_WITH_AES_128_CBC_SHA256"],
]);
const runMs = 30_000;

export const nodeDtlsClient: DtlsPeer = { neverHasEms: true, connect: (port, wish) => new NodeDtlsClient(port, wish) };

class NodeDtlsClient implements PeerClient {
  readonly #socket: ClientSocket;
  readonly #received: string[] = [];
  readonly #happened: string[] = [];
  readonly #later: string[];
  #isClosed = false;

  constructor(port: number, wish: Wish) {
    const { identity, keyHex } = clientPsk(wish);
    // Checked edge: a package without a declared place in this tree, typed above by its documentation.
    const { dtls } = createRequire(import.meta.url)(nodeDtlsClientEntry) as ClientModule;
    // A key is text here; each character becomes one byte.
    const key = Buffer.from(keyHex, "hex").toString("latin1");
    this.#socket = dtls.createSocket({ type: "udp4", address: loopback, port, psk: { [identity]: key }, ciphers: [names.get(wish.suite)] });
    this.#later = [...wish.lines];
    this.#socket.on("connected", () => this.#sayNext());
    this.#socket.on("message", (bytes) => this.#received.push(bytes.toString()));
    this.#socket.on("error", (error) => {
      this.#happened.push(String(error));
      // It closes itself after a fatal alert.
      this.#isClosed = true;
    });
    this.#socket.on("close", () => {
      this.#isClosed = true;
    });
  }

  async receivedEcho(line: string): Promise<void> {
    await eventually(`"echo ${line.slice(0, 40)}"`, runMs, () => this.#received.find((each) => each === `echo ${line}`));
    this.#sayNext();
  }

  async end(): Promise<void> {
    await this.kill();
  }

  async kill(): Promise<void> {
    if (!this.#isClosed) this.#socket.close();
    await eventually("the end of its socket", runMs, () => (this.#isClosed ? true : undefined));
  }

  transcript(): string {
    return `--- node-dtls-client\n${this.#happened.join("\n")}`;
  }

  #sayNext(): void {
    const next = this.#later.shift();
    if (next !== undefined) this.#socket.send(Buffer.from(next));
  }
}
