/** One server on a bare wire, and clients that torture it; everything happens at once, timers only when the test lets time pass. */
import assert from "node:assert/strict";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { openDtlsEndpoint } from "../endpoint/dtls-endpoint.ts";
import type { MeasuredDtlsEndpoint } from "../endpoint/occupancy.ts";
import type { DtlsEndpointParts } from "../endpoint/site.ts";
import type { DtlsNews } from "../endpoint-contract.ts";
import { pskServer, serverAt } from "../testing/dtls-world.ts";
import { TortureClient, type TortureWish } from "./torture-client.ts";
import { type SentDatagram, WireEnd } from "./wire-end.ts";

const text = new TextDecoder();

export class TortureWorld {
  readonly clock: VirtualClock;
  readonly wire: WireEnd;
  readonly sent: SentDatagram[] = [];
  readonly heard: { readonly text: string; readonly from: SocketAddress }[] = [];
  readonly news: DtlsNews[] = [];
  readonly bugs: unknown[];
  readonly endpoint: MeasuredDtlsEndpoint;
  readonly #clients = new Map<string, TortureClient>();
  #nextPort = 40_000;

  private constructor(parts: { clock: VirtualClock; wire: WireEnd; endpoint: MeasuredDtlsEndpoint; bugs: unknown[] }) {
    this.clock = parts.clock;
    this.wire = parts.wire;
    this.endpoint = parts.endpoint;
    this.bugs = parts.bugs;
  }

  static async open(parts: Partial<DtlsEndpointParts> = {}, seed = 1): Promise<TortureWorld> {
    const clock = new VirtualClock();
    const wire = new WireEnd(serverAt);
    const bugs: unknown[] = [];
    const endpoint = await openDtlsEndpoint({
      socket: wire,
      clock,
      random: seededRandom(seed),
      server: { credentials: pskServer() },
      onBug: (error) => bugs.push(error),
      ...parts,
    });
    const world = new TortureWorld({ clock, wire, endpoint, bugs });
    wire.onSent = (sent) => world.#deliver(sent);
    endpoint.onNews((news) => world.news.push(news));
    endpoint.plaintext.onDatagram((bytes, from) => world.heard.push({ text: text.decode(bytes), from }));
    return world;
  }

  client(wish: Partial<TortureWish> = {}): TortureClient {
    const at = wish.at ?? { address: "10.0.0.2", port: this.#nextPort++ };
    const client = new TortureClient(this.wire, { ...wish, at });
    this.#clients.set(`${at.address} ${at.port}`, client);
    return client;
  }

  get texts(): string[] {
    return this.heard.map(({ text: words }) => words);
  }

  get kinds(): string[] {
    return this.news.map(({ kind }) => kind);
  }

  count(name: string): number {
    return this.endpoint.counters[name] ?? 0;
  }

  /** Sends to the association heard from last. */
  answer(words: string): void {
    const last = this.heard.at(-1);
    assert.ok(last, "nothing was heard");
    this.endpoint.plaintext.send(new TextEncoder().encode(words), last.from);
  }

  /** What was sent, heard and told so far, and the clients of it. */
  forget(): void {
    this.sent.length = 0;
    this.heard.length = 0;
    this.news.length = 0;
    this.#clients.clear();
  }

  /** Fails for a broken invariant, or a timer that is left an hour later. */
  async end(): Promise<void> {
    await this.clock.advance(3_600_000);
    assert.equal(this.clock.pendingTimers(), 0, "a timer is left an hour later");
    await this.clock.until(this.endpoint.close());
    assert.equal(this.clock.pendingTimers(), 0, "a timer is left");
    assert.deepEqual(this.bugs, []);
  }

  #deliver(sent: SentDatagram): void {
    this.sent.push(sent);
    this.#clients.get(`${sent.to.address} ${sent.to.port}`)?.hear(sent.bytes);
  }
}
