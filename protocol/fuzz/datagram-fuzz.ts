/**
 * Random and mutated datagrams into a CoAP endpoint with a neighbour beside the attackers: what `npm test` runs shortly and
 * `../fuzz-main.ts` at length. Reports the first thing that should not be: something thrown, a neighbour not served at once, state that
 * stays or grows.
 */
import { Method, ResponseCode } from "../coap/codes.ts";
import { type CoapCounters, createCoapCounters } from "../coap/counters.ts";
import { type MeasuredEndpoint, openCoapEndpoint } from "../coap/endpoint.ts";
import type { IncomingRequest, OutgoingResponse, Peer, ServedObservation } from "../coap/message.ts";
import type { HeldObservation } from "../coap/observation.ts";
import type { Occupancy } from "../coap/occupancy.ts";
import type { DatagramSocket } from "../ports/datagram-socket.ts";
import { MemoryNetwork } from "../testing/memory-network.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { answers, seeds } from "./datagram-seeds.ts";
import { mostOf, whatStays } from "./occupancy.ts";

export interface FuzzReport {
  readonly datagrams: number;
  /** What the endpoint under fire counted. */
  readonly counters: CoapCounters;
  readonly requestsHandled: number;
  /** Requests and observations of the endpoint itself, each ended. */
  readonly ownRequests: number;
  readonly notifications: number;
  readonly neighbourRequests: number;
  /** The most that was held at once, at the end of a round. */
  readonly most: Occupancy;
}

const roundDatagrams = 500;
const attackers = 50;
/** Requests of the endpoint itself per round. */
const ourRequests = 5;
const serverAddress = { address: "10.0.0.1", port: 5_683 };
const neighbourAddress = { address: "10.0.0.7", port: 7 };
/** Share of datagrams that are the one before once more. */
const repeats = 0.05;
/** Notifications of relations the endpoint asked for lately, beside the datagrams that are counted. */
const notificationShare = 0.02;
const mostHeads = 100;
const longestRandomBytes = 96;
/** Between two rounds, so that deadlines fall due among the datagrams, milliseconds. */
const longestPauseMs = 4_000;
/** Every exchange, body and back-off is over after that, milliseconds. */
const quietMs = 3_600_000;

/** Bytes of one of our requests that an answer repeats: message id, and the token behind it. */
const headBytes = 4;
const longestBodyBytes = 4_000;
/** Relations held at attackers; beyond it the oldest is forgotten. */
const mostHeld = 100;
/** Relations attackers hold at the endpoint; as many as they may would take half a million datagrams to be reached. */
const mostRelations = 200;
/** Longer than an answer is piggybacked. */
const slowHandlerMs = 2_500;

/** Throws with the seed and the round in the message; `onRound` is told how many datagrams are through. */
export async function fuzzEndpoint(datagrams: number, seed: number, onRound: (sent: number) => void = () => {}): Promise<FuzzReport> {
  const world = new FuzzWorld(seed);
  let sent = 0;
  try {
    while (sent < datagrams) {
      sent += world.attack(Math.min(roundDatagrams, datagrams - sent));
      world.askAttackers();
      await world.checkNeighbour();
      onRound(sent);
    }
    return { datagrams: sent, ...(await world.end()) };
  } catch (error) {
    throw new Error(`seed ${seed}, within the ${roundDatagrams} datagrams before ${sent}: ${String(error)}`, { cause: error });
  }
}

class FuzzWorld {
  readonly #clock = new VirtualClock();
  readonly #network: MemoryNetwork;
  readonly #random: SeededRandom;
  readonly #counters = createCoapCounters();
  readonly #endpoint: MeasuredEndpoint;
  readonly #neighbour: MeasuredEndpoint;
  readonly #attackers: DatagramSocket[];
  readonly #relations = new Set<ServedObservation>();
  readonly #bugs: unknown[] = [];
  #last: { readonly from: DatagramSocket; readonly bytes: Uint8Array } | undefined;
  #requestsHandled = 0;
  #neighbourRequests = 0;
  #ownRequestsBegun = 0;
  #ownRequestsEnded = 0;
  #notifications = 0;
  #most: Occupancy;
  /** Header and token of our latest requests, and whom they went to. */
  readonly #heads: { readonly attacker: DatagramSocket; readonly bytes: Uint8Array }[] = [];
  readonly #held: HeldObservation[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#network = new MemoryNetwork(this.#clock, seededRandom(seed + 1));
    this.#endpoint = this.#open(serverAddress, seed + 2, this.#counters);
    this.#endpoint.handle((request) => this.#serve(request), { preconditions: true });
    this.#most = this.#endpoint.occupancy();
    this.#neighbour = this.#open(neighbourAddress, seed + 3, createCoapCounters());
    this.#attackers = Array.from({ length: attackers }, (_, i) => this.#network.socket({ address: `10.1.0.${i + 1}`, port: 40_000 }));
    for (const attacker of this.#attackers) attacker.onDatagram((bytes) => this.#answer(attacker, bytes));
  }

  attack(datagrams: number): number {
    for (let i = 0; i < datagrams; i++) {
      if (this.#random.fraction() < notificationShare) this.#sendNotification();
      if (this.#random.fraction() > repeats) this.#last = { from: this.#random.pick(this.#attackers), bytes: this.#datagram() };
      this.#last?.from.send(this.#last.bytes, serverAddress);
    }
    return datagrams;
  }

  /** The client role: requests and observations whose answers `#answer` makes up. */
  askAttackers(): void {
    for (let i = 0; i < ourRequests; i++) {
      const peer = this.#endpoint.peerAt(this.#random.pick(this.#attackers).local);
      this.#ownRequestsBegun++;
      const payload = new Uint8Array(this.#random.integer(longestBodyBytes));
      const ended =
        this.#random.fraction() < 0.5
          ? this.#endpoint.request(peer, { method: Method.put, path: ["a"], payload }, { timeoutMs: 60_000 })
          : this.#observe(peer);
      ended.then(
        () => {
          this.#ownRequestsEnded++;
        },
        (error: unknown) => this.#bugs.push(error),
      );
    }
  }

  async checkNeighbour(): Promise<void> {
    const path = [`n${this.#random.integer(100)}`];
    const served = await this.#clock.until(this.#neighbour.request(this.#neighbour.peerAt(serverAddress), { method: Method.get, path }));
    this.#neighbourRequests++;
    this.#most = mostOf(this.#most, this.#endpoint.occupancy());
    if (!served.ok || served.facts.datagramsSent !== 1) throw new Error(`the neighbour was not served: ${JSON.stringify(served)}`);
    if (this.#bugs.length > 0) throw new Error(`reported: ${String(this.#bugs[0])}`, { cause: this.#bugs[0] });
    for (const relation of this.#relations) {
      if (this.#relations.size <= mostRelations) break;
      relation.close();
      // A relation closed by us is told of to nobody.
      this.#relations.delete(relation);
    }
    // Some relations get a notification, so that their acknowledgements, resets and give-ups are part of it.
    for (const relation of this.#relations) {
      if (this.#random.fraction() < 0.05) await this.#notify(relation);
    }
    await this.#clock.advance(this.#random.integer(longestPauseMs));
    this.#network.traffic.length = 0;
  }

  /** Lets every deadline pass and looks for what stayed. */
  async end(): Promise<Omit<FuzzReport, "datagrams">> {
    // Requests under way may still be answered, and what they were granted is ours to give back.
    await this.#clock.advance(quietMs);
    for (const relation of [...this.#relations]) relation.close();
    for (const held of this.#held.splice(0)) await held.cancel("passive");
    await this.#clock.advance(quietMs);
    const stays = whatStays(this.#endpoint.occupancy(), attackers + 1);
    if (stays.length > 0) throw new Error(`an hour later there is still: ${stays.join(", ")}`);
    if (this.#clock.pendingTimers() > 0) throw new Error("a timer is left an hour later");
    for (const endpoint of [this.#endpoint, this.#neighbour]) await endpoint.close();
    this.#network.close();
    if (this.#clock.pendingTimers() > 0) throw new Error("a timer is left after everything was closed");
    if (this.#ownRequestsBegun !== this.#ownRequestsEnded) {
      throw new Error(`${this.#ownRequestsBegun} requests of our own began, ${this.#ownRequestsEnded} ended`);
    }
    return {
      counters: this.#counters,
      notifications: this.#notifications,
      ownRequests: this.#ownRequestsEnded,
      requestsHandled: this.#requestsHandled,
      neighbourRequests: this.#neighbourRequests,
      most: this.#most,
    };
  }

  async #observe(peer: Peer): Promise<void> {
    const listener = { onNotification: () => void this.#notifications++, onEnd: () => {} };
    const outcome = await this.#endpoint.observe(peer, { method: Method.get, path: ["a"] }, listener, { timeoutMs: 60_000 });
    if (!outcome.ok || !outcome.observing) return;
    this.#held.push(outcome.observation);
    if (this.#held.length > mostHeld) await this.#held.shift()?.cancel("passive");
  }

  /** Piggybacked, separate or not at all, with the token that was asked with, mutated now and then, sometimes followed by a notification. */
  #answer(attacker: DatagramSocket, request: Uint8Array): void {
    const random = this.#random;
    const [first = 0, code = 0] = request;
    if (code === 0 || code > Method.ipatch || random.fraction() < 0.1) return;
    this.#heads.push({ attacker, bytes: Uint8Array.from(request.subarray(0, headBytes + (first & 0x0f))) });
    if (this.#heads.length > mostHeads) this.#heads.shift();
    for (let more = random.fraction() < 0.2 ? 3 : 1; more > 0; more--) {
      const [answerCode = 0, ...tail] = random.pick(answers);
      const bytes = Uint8Array.of(...request.subarray(0, headBytes + (first & 0x0f)), ...tail);
      const type = more > 1 ? random.integer(2) : 2;
      bytes[0] = (first & 0xcf) | (type << 4);
      bytes[1] = answerCode;
      if (type !== 2) bytes[3] = random.integer(256);
      if (random.fraction() < 0.2) bytes[random.integer(bytes.length)] = random.integer(256);
      attacker.send(bytes, serverAddress);
    }
  }

  #sendNotification(): void {
    if (this.#heads.length === 0) return;
    const random = this.#random;
    const { attacker, bytes } = random.pick(this.#heads);
    // 2.05 with Observe of one byte and a payload; CON or NON, any message id.
    const message = Uint8Array.of(...bytes, 0x61, random.integer(256), 0xff, 0x31);
    message[0] = ((bytes[0] ?? 0) & 0xcf) | (random.integer(2) << 4);
    message[1] = ResponseCode.content;
    message[2] = random.integer(256);
    attacker.send(message, serverAddress);
  }

  #open(address: typeof serverAddress, seed: number, counters: CoapCounters): MeasuredEndpoint {
    return openCoapEndpoint({
      socket: this.#network.socket(address),
      clock: this.#clock,
      random: seededRandom(seed),
      counters,
      onBug: (error) => this.#bugs.push(error),
    });
  }

  #serve(request: IncomingRequest): OutgoingResponse | Promise<OutgoingResponse> {
    this.#requestsHandled++;
    if (!request.path.every((segment) => typeof segment === "string")) throw new Error("a path segment is no text");
    const response: OutgoingResponse = {
      code: ResponseCode.content,
      payload: new Uint8Array(request.path.length * 700),
      acceptObserve: (relation) => {
        this.#relations.add(relation);
        relation.onEnd(() => this.#relations.delete(relation));
      },
    };
    // The neighbour sends no payload and is answered at once.
    if (request.payload.length % 2 === 0) return response;
    if (request.payload.length % 4 === 1) return Promise.resolve(response);
    return new Promise((resolve) => this.#clock.after(slowHandlerMs, () => resolve(response)));
  }

  /** Not awaited beyond its sending: the peer is an attacker and rarely acknowledges. */
  async #notify(relation: ServedObservation): Promise<void> {
    await relation.notify({ code: ResponseCode.content, payload: new Uint8Array(4) }, false);
  }

  /** One in five pure chance, the others a seed with bytes changed, cut off or repeated. */
  #datagram(): Uint8Array {
    const random = this.#random;
    if (random.fraction() < 0.2) return random.bytes(random.integer(longestRandomBytes));
    const bytes = Uint8Array.from(random.pick(seeds));
    // Message ids must differ, or deduplication would keep most of them from the handlers; some must not.
    bytes[2] = random.integer(2);
    bytes[3] = random.integer(256);
    for (let flips = random.integer(4); flips > 0; flips--) bytes[random.integer(bytes.length)] = random.integer(256);
    const shape = random.fraction();
    if (shape < 0.2) return bytes.subarray(0, random.integer(bytes.length + 1));
    if (shape < 0.3) return Uint8Array.of(...bytes, ...bytes.subarray(random.integer(bytes.length)));
    return bytes;
  }
}
