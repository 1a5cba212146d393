/** Datagrams between sockets of one process, with the faults of a radio link: loss, delay, duplication, reordering, NAT. */
import type { Clock, Timer } from "../ports/clock.ts";
import type { DatagramSocket, SocketAddress } from "../ports/datagram-socket.ts";
import type { Random } from "../ports/random.ts";

export interface LinkConditions {
  /** One way, milliseconds. */
  readonly delayMs: number;
  /** Chance in [0, 1] that a datagram is lost. */
  readonly loss: number;
  /** Chance that it arrives twice. */
  readonly duplication: number;
  /** Chance that it is held back long enough for later ones to overtake it. */
  readonly reordering: number;
}

export interface Datagram {
  readonly sentAt: number;
  /** As the receiver sees it: after address translation. */
  readonly from: SocketAddress;
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
}

const goodLink: LinkConditions = { delayMs: 10, loss: 0, duplication: 0, reordering: 0 };
/** A datagram held back arrives up to this many delays late. */
const longestHoldInDelays = 5;
const firstFreePort = 49_152;

type Receive = (bytes: Uint8Array, from: SocketAddress) => void;

interface Station {
  readonly local: SocketAddress;
  visible: SocketAddress;
  receive: Receive | undefined;
}

export class MemoryNetwork {
  /** May be replaced in mid-test: it applies to what is sent from then on. */
  conditions: LinkConditions;
  /** Says of every datagram whether it may pass; for faults that chance would not hit. */
  filter: (datagram: Datagram) => boolean = () => true;
  /** Everything handed to a socket, lost or not, in order of sending. */
  readonly traffic: Datagram[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #stations = new Map<string, Station>();
  readonly #underway = new Set<Timer>();
  #nextPort = firstFreePort;

  constructor(clock: Clock, random: Random, conditions: Partial<LinkConditions> = {}) {
    this.#clock = clock;
    this.#random = random;
    this.conditions = { ...goodLink, ...conditions };
  }

  /** Binds a socket; port 0 takes a free one. Throws when the address is taken. */
  socket(address: SocketAddress): DatagramSocket {
    const local = address.port === 0 ? { ...address, port: this.#nextPort++ } : address;
    if (this.#stations.has(keyOf(local))) throw new Error(`${keyOf(local)} is already bound`);
    const station: Station = { local, visible: local, receive: undefined };
    this.#stations.set(keyOf(local), station);
    return {
      local,
      send: (bytes, to) => this.#send(station, bytes, to),
      onDatagram: (receive) => {
        station.receive = receive;
      },
      close: async () => {
        station.receive = undefined;
        this.#stations.delete(keyOf(station.visible));
      },
    };
  }

  /** A NAT gives the socket bound to `local` another address outside; what is sent to the old one is lost. */
  rebind(local: SocketAddress, visible: SocketAddress): void {
    const station = [...this.#stations.values()].find((candidate) => keyOf(candidate.local) === keyOf(local));
    if (station === undefined) throw new Error(`nothing is bound to ${keyOf(local)}`);
    this.#stations.delete(keyOf(station.visible));
    station.visible = visible;
    this.#stations.set(keyOf(visible), station);
  }

  /** Forgets the datagrams that are still under way. */
  close(): void {
    for (const timer of this.#underway) timer.cancel();
    this.#underway.clear();
  }

  #send(station: Station, bytes: Uint8Array, to: SocketAddress): void {
    if (this.#stations.get(keyOf(station.visible)) !== station) return;
    const datagram: Datagram = { sentAt: this.#clock.now(), from: station.visible, to, bytes: bytes.slice() };
    this.traffic.push(datagram);
    if (!this.filter(datagram)) return;
    if (this.#random.fraction() < this.conditions.loss) return;
    this.#deliverLater(datagram);
    if (this.#random.fraction() < this.conditions.duplication) this.#deliverLater(datagram);
  }

  #deliverLater(datagram: Datagram): void {
    const { delayMs, reordering } = this.conditions;
    const held = this.#random.fraction() < reordering ? delayMs * longestHoldInDelays * this.#random.fraction() : 0;
    const timer = this.#clock.after(delayMs + held, () => {
      this.#underway.delete(timer);
      this.#stations.get(keyOf(datagram.to))?.receive?.(datagram.bytes.slice(), datagram.from);
    });
    this.#underway.add(timer);
  }
}

function keyOf(address: SocketAddress): string {
  return `${address.address}|${address.port}`;
}
