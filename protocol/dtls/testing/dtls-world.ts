/** DTLS endpoints on one virtual network: what tests of the endpoint start from. */
import assert from "node:assert/strict";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { type LinkConditions, MemoryNetwork } from "../../testing/memory-network.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { ClientCredentials, ServerCredentials } from "../credentials-contract.ts";
import { openDtlsEndpoint } from "../endpoint/dtls-endpoint.ts";
import type { DtlsEndpointParts } from "../endpoint/site.ts";
import type { DtlsEndpoint, DtlsNews } from "../endpoint-contract.ts";

export const serverAt = { address: "10.0.0.1", port: 5_684 };
export const clientAt = { address: "10.0.0.2", port: 40_000 };

const utf8 = new TextEncoder();
const text = new TextDecoder();

export const pskOf = (name: string): ClientCredentials => ({ psk: { identity: utf8.encode(name), key: utf8.encode(`key of ${name}`) } });

/** Every identity that begins with "dev" has its key; look-ups take a turn of the loop when asked to. */
export function pskServer(look: <T>(key: T) => T | Promise<T> = (key) => key): ServerCredentials {
  const findPsk = (identity: Uint8Array) => {
    const name = text.decode(identity);
    return look(name.startsWith("dev") ? utf8.encode(`key of ${name}`) : undefined);
  };
  return { realmOf: () => ({ findPsk }) };
}

export interface Heard {
  readonly text: string;
  readonly from: SocketAddress;
}

/** An endpoint, what came out of it, and the usual ways to use it. */
export class Party {
  readonly endpoint: DtlsEndpoint;
  readonly heard: Heard[] = [];
  readonly news: DtlsNews[] = [];

  constructor(endpoint: DtlsEndpoint) {
    this.endpoint = endpoint;
    endpoint.plaintext.onDatagram((bytes, from) => this.heard.push({ text: text.decode(bytes), from }));
    endpoint.onNews((news) => this.news.push(news));
  }

  say(to: SocketAddress, words: string): void {
    this.endpoint.plaintext.send(utf8.encode(words), to);
  }

  get texts(): string[] {
    return this.heard.map(({ text: words }) => words);
  }

  get kinds(): string[] {
    return this.news.map(({ kind }) => kind);
  }

  /** Of the last datagram; throws without one. */
  get lastFrom(): SocketAddress {
    const last = this.heard.at(-1);
    assert.ok(last, "nothing was heard");
    return last.from;
  }
}

export class DtlsWorld {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly bugs: unknown[] = [];
  readonly #opened: DtlsEndpoint[] = [];
  readonly #seed: number;

  constructor(seed = 1, conditions: Partial<LinkConditions> = {}) {
    this.#seed = seed;
    this.network = new MemoryNetwork(this.clock, seededRandom(seed), conditions);
  }

  async open(at: SocketAddress, parts: Partial<DtlsEndpointParts> = {}): Promise<Party> {
    const endpoint = await openDtlsEndpoint({
      socket: parts.socket ?? this.network.socket(at),
      clock: this.clock,
      random: seededRandom(this.#seed * 31 + this.#opened.length),
      onBug: (error) => this.bugs.push(error),
      ...parts,
    });
    this.#opened.push(endpoint);
    return new Party(endpoint);
  }

  server(parts: Partial<DtlsEndpointParts> = {}): Promise<Party> {
    return this.open(serverAt, { server: { credentials: pskServer() }, ...parts });
  }

  client(parts: Partial<DtlsEndpointParts> = {}, at: SocketAddress = clientAt): Promise<Party> {
    return this.open(at, parts);
  }

  connect(client: Party, name = "dev1"): Promise<SocketAddress> {
    return this.clock.until(client.endpoint.connect(serverAt, pskOf(name)));
  }

  /** Closes everything and checks that no timer is left and no invariant broke. */
  async end(): Promise<void> {
    for (const endpoint of this.#opened) await this.clock.until(endpoint.close());
    this.network.close();
    assert.deepEqual(this.bugs, []);
    assert.equal(this.clock.pendingTimers(), 0, "a timer is left");
  }
}
