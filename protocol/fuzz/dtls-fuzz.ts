/**
 * Mutated datagrams into a DTLS endpoint, in both its roles, at every step of real handshakes and connections; two neighbours beside the
 * attackers. What `npm test` runs shortly and `../fuzz-main.ts` at length. Reports the first thing that should not be: something thrown,
 * something heard that nobody said, a neighbour not served at once, state that stays.
 */

import { SessionMemory } from "../dtls/credentials/session-memory.ts";
import type { ClientCredentials, ServerRealm } from "../dtls/credentials-contract.ts";
import { openDtlsEndpoint } from "../dtls/endpoint/dtls-endpoint.ts";
import type { DtlsOccupancy, MeasuredDtlsEndpoint } from "../dtls/endpoint/occupancy.ts";
import { accept, ownKey } from "../dtls/testing/handshake-parties.ts";
import { WireEnd } from "../dtls/torture/wire-end.ts";
import type { Timer } from "../ports/clock.ts";
import type { SocketAddress } from "../ports/datagram-socket.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { mutated } from "./dtls-mutations.ts";

export interface DtlsFuzzReport {
  readonly datagrams: number;
  readonly counters: { readonly [name: string]: number };
  readonly neighbourRounds: number;
  readonly heard: number;
  /** The most that was held at the end of a round. */
  readonly most: DtlsOccupancy;
}

const roundDatagrams = 500;
const targetAt = { address: "10.0.0.1", port: 5_684 };
/** Beside the two neighbours. */
const attackers = 8;
const neighbours = 2;
/** Originals that mutations start from: the latest of both directions. */
const mostOriginals = 64;
/** Mutations of some datagrams of handshakes and connections at the moment they are on their way: of all, no handshake would end well. */
const mutationsOnTheWay = 3;
const shareOnTheWay = 0.2;
/** How long a datagram is on its way when nobody is in a hurry, milliseconds. */
const hopMs = 1;
/** Between two rounds, so that deadlines fall due among the datagrams, milliseconds. */
const longestPauseMs = 20_000;
/** Every handshake is over after that, and every last flight forgotten, milliseconds. */
const quietMs = 3_600_000;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Throws with the seed and the round in the message; `onRound` is told how many datagrams are through. */
export async function fuzzDtls(datagrams: number, seed: number, onRound: (sent: number) => void = () => {}): Promise<DtlsFuzzReport> {
  const world = new FuzzWorld(seed);
  try {
    await world.open();
    while (world.sent < datagrams) {
      await world.round();
      onRound(world.sent);
    }
    return await world.end();
  } catch (error) {
    throw new Error(`seed ${seed}, within the ${roundDatagrams} datagrams before ${world.sent}: ${String(error)}`, { cause: error });
  }
}

interface Side {
  readonly name: string;
  readonly wire: WireEnd;
  readonly endpoint: MeasuredDtlsEndpoint;
  readonly credentials: ClientCredentials;
  /** Where it reaches the target, once connected. */
  to: SocketAddress | undefined;
  heardLast: string;
}

interface UnderWay {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly into: WireEnd;
  readonly isTrue: boolean;
}

class FuzzWorld {
  sent = 0;
  readonly #clock = new VirtualClock();
  readonly #random: SeededRandom;
  readonly #seed: number;
  readonly #sides = new Map<string, Side>();
  readonly #queue: UnderWay[] = [];
  readonly #originals: UnderWay[] = [];
  readonly #bugs: unknown[] = [];
  readonly #key = ownKey("rpk");
  #target: Side | undefined;
  #rounds = 0;
  #heard = 0;
  #delivery: Timer | undefined;
  /** Anybody can spoil a handshake, which is plain: those of the neighbours are done before it begins. */
  #isOpen = false;
  #most: DtlsOccupancy | undefined;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  async open(): Promise<void> {
    this.#target = await this.#openSide("target", targetAt, 8);
    this.#target.endpoint.plaintext.onDatagram((bytes, from) => this.#hearAtTarget(text.decode(bytes), from));
    for (let i = 0; i < neighbours + attackers; i++) {
      const name = `${i < neighbours ? "neighbour" : "attacker"}-${i}`;
      await this.#openSide(name, { address: `10.1.0.${i + 1}`, port: 40_000 }, i % 2 === 0 ? 4 : undefined);
    }
    for (const side of this.#all(true)) await this.#connect(side);
    this.#isOpen = true;
  }

  async round(): Promise<void> {
    const { endpoint } = this.#get();
    await this.#live();
    for (let i = 0; i < roundDatagrams && this.#originals.length > 0; i++) this.#attack(this.#random.pick(this.#originals));
    this.#pump();
    await this.#checkNeighbours();
    this.#most = mostOf(this.#most, endpoint.occupancy());
    if (this.#bugs.length > 0) throw new Error(`reported: ${String(this.#bugs[0])}`, { cause: this.#bugs[0] });
    await this.#clock.advance(this.#random.integer(longestPauseMs));
    this.#rounds += 1;
  }

  /** Lets every deadline pass, closes what is open and looks for what stayed. */
  async end(): Promise<DtlsFuzzReport> {
    const { endpoint } = this.#get();
    await this.#clock.advance(quietMs);
    endpoint.disconnectWhere(() => true);
    await this.#clock.advance(quietMs);
    for (const [name, count] of Object.entries(endpoint.occupancy()))
      if (count !== 0) throw new Error(`an hour later there is still: ${name} ${count}`);
    if (this.#clock.pendingTimers() > 0) throw new Error("timers are left an hour later");
    for (const side of this.#sides.values()) await this.#clock.until(side.endpoint.close());
    if (this.#clock.pendingTimers() > 0) throw new Error("a timer is left after everything was closed");
    const most = this.#most ?? endpoint.occupancy();
    return { datagrams: this.sent, counters: endpoint.counters, neighbourRounds: this.#rounds, heard: this.#heard, most };
  }

  /** What true peers do: connect in either direction, talk, leave, come from another address. */
  async #live(): Promise<void> {
    const random = this.#random;
    const side = random.pick(this.#all(false));
    const target = this.#get();
    const choice = random.fraction();
    if (side.to === undefined || choice < 0.3) await this.#connect(side);
    else if (choice < 0.4) {
      const to = await this.#settled(target.endpoint.connect(side.wire.local, pskOf("target")));
      if (to?.association !== undefined) target.endpoint.disconnect(to.association.key);
    } else if (choice < 0.5) {
      if (side.to.association !== undefined) side.endpoint.disconnect(side.to.association.key);
      side.to = undefined;
    } else {
      for (let i = 0; i < 4; i++) this.#say(side, `${side.name} says ${random.integer(1_000)}`);
    }
    this.#pump();
  }

  #attack(original: UnderWay): void {
    const random = this.#random;
    const bytes = mutated(original.bytes, random.pick(this.#originals).bytes, random);
    const from =
      random.fraction() < 0.15 ? { address: `198.51.100.${random.integer(250)}`, port: 1 + random.integer(65_535) } : original.from;
    this.sent += 1;
    this.#queue.push({ ...original, bytes, from, isTrue: false });
  }

  /** One at a time: what is sent meanwhile waits for its turn. */
  #pump(): void {
    this.#delivery?.cancel();
    this.#delivery = undefined;
    for (let datagram = this.#queue.shift(); datagram !== undefined; datagram = this.#queue.shift()) {
      if (datagram.isTrue) this.#keep(datagram);
      datagram.into.inject(datagram.bytes, datagram.from);
    }
  }

  #keep(datagram: UnderWay): void {
    this.#originals.push(datagram);
    if (this.#originals.length > mostOriginals) this.#originals.splice(this.#random.integer(mostOriginals), 1);
  }

  #pass(from: Side, bytes: Uint8Array, to: SocketAddress): void {
    const receiver = to.port === targetAt.port ? this.#target : this.#sides.get(to.address);
    if (receiver === undefined) return;
    const datagram: UnderWay = { bytes, from: from.wire.local, into: receiver.wire, isTrue: true };
    const isNeighbours = [from, receiver].some(({ name }) => name.startsWith("neighbour"));
    // Of neighbours the original comes first: a copy that overtook it from elsewhere would be a move of theirs.
    if (isNeighbours) this.#queue.push(datagram);
    const isHit = this.#isOpen && this.#originals.length > 0 && this.#random.fraction() < shareOnTheWay;
    for (let i = 0; isHit && i < mutationsOnTheWay; i++) this.#attack(datagram);
    if (!isNeighbours) this.#queue.push(datagram);
    // Not in the middle of a send: no socket does that.
    this.#delivery ??= this.#clock.after(hopMs, () => this.#pump());
  }

  async #checkNeighbours(): Promise<void> {
    for (const side of this.#all(true)) {
      const words = `${side.name} asks ${this.#rounds}`;
      this.#say(side, words);
      await this.#clock.advance(0);
      if (side.heardLast !== `echo ${words}`) throw new Error(`${side.name} was not served: ${words}, ${side.heardLast}`);
    }
  }

  #say(side: Side, words: string): void {
    if (side.to !== undefined) side.endpoint.plaintext.send(utf8.encode(words), side.to);
    this.#pump();
  }

  #hearAtTarget(words: string, from: SocketAddress): void {
    this.#heard += 1;
    const { identity } = from.association ?? {};
    const speaker = words.split(" ")[0] ?? "";
    const isHis = identity?.kind === "psk" ? text.decode(identity.identity) === speaker : identity?.kind === "rpk";
    if (!isHis || !this.#isName(speaker)) throw new Error(`heard ${words} from ${identity?.kind}`);
    this.#get().endpoint.plaintext.send(utf8.encode(`echo ${words}`), from);
  }

  #isName(name: string): boolean {
    return [...this.#sides.values()].some((side) => side.name === name);
  }

  async #connect(side: Side): Promise<void> {
    const before = side.to?.association;
    side.to = await this.#settled(side.endpoint.connect(targetAt, side.credentials));
    // A client lets go of what it does not use any more; the server did so when the new one was proved.
    if (before !== undefined) side.endpoint.disconnect(before.key);
  }

  async #settled(connecting: Promise<SocketAddress>): Promise<SocketAddress | undefined> {
    return this.#clock.until(connecting.catch(() => undefined));
  }

  async #openSide(name: string, at: SocketAddress, connectionIdBytes: number | undefined): Promise<Side> {
    const wire = new WireEnd(at);
    const number = this.#sides.size;
    const endpoint = await openDtlsEndpoint({
      socket: wire,
      clock: this.#clock,
      random: seededRandom(this.#seed * 64 + number),
      server: {
        credentials: { realmOf: () => this.#realm() },
        sessions: new SessionMemory({ most: 8, lifetimeMs: quietMs }, this.#clock),
      },
      settings: { connectionIdBytes },
      limits: { handshakesPerSecond: 100_000, handshakeBurst: 100_000, cookiesPerPrefixPerSecond: 1_000_000 },
      onBug: (error) => this.#bugs.push(error),
    });
    const credentials = number % 4 === 3 ? { own: this.#key, verifyServer: accept } : pskOf(name);
    const side: Side = { name, wire, endpoint, credentials, to: undefined, heardLast: "" };
    wire.onSent = ({ bytes, to }) => this.#pass(side, bytes, to);
    endpoint.plaintext.onDatagram((bytes) => {
      side.heardLast = text.decode(bytes);
      if (!side.heardLast.startsWith(`echo ${name} `)) throw new Error(`${name} heard ${side.heardLast}`);
    });
    this.#sides.set(name === "target" ? name : at.address, side);
    return side;
  }

  #realm(): ServerRealm {
    return { findPsk: (identity) => keyOf(text.decode(identity)), own: this.#key, verifyClient: accept };
  }

  #all(neighbouring: boolean): Side[] {
    return [...this.#sides.values()].filter(({ name }) => name !== "target" && name.startsWith("neighbour") === neighbouring);
  }

  #get(): Side {
    if (this.#target === undefined) throw new Error("not open yet");
    return this.#target;
  }
}

function keyOf(name: string): Uint8Array | undefined {
  return /^[a-z]+(-\d+)?$/.test(name) ? utf8.encode(`key of ${name}`) : undefined;
}

function pskOf(name: string): ClientCredentials {
  return { psk: { identity: utf8.encode(name), key: utf8.encode(`key of ${name}`) } };
}

function mostOf(left: DtlsOccupancy | undefined, right: DtlsOccupancy): DtlsOccupancy {
  if (left === undefined) return right;
  return {
    connections: Math.max(left.connections, right.connections),
    handshakes: Math.max(left.handshakes, right.handshakes),
    handshakesUnderWay: Math.max(left.handshakesUnderWay, right.handshakesUnderWay),
    handshakeBytes: Math.max(left.handshakeBytes, right.handshakeBytes),
    waitingWork: Math.max(left.waitingWork, right.waitingWork),
    unprovedAddresses: Math.max(left.unprovedAddresses, right.unprovedAddresses),
  };
}
