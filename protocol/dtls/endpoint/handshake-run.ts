/** One handshake under way, or whose last flight may still be asked for; and where it is found. */
import type { Timer } from "../../ports/clock.ts";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import type { ClientCredentials, ResumableSession } from "../credentials-contract.ts";
import type { HandshakeMachine } from "../handshake-contract.ts";
import { sameAddress } from "./address-moves.ts";

const none = -1;

export interface HandshakeRun {
  readonly role: "client" | "server";
  readonly beganAt: number;
  readonly address: SocketAddress;
  /** Until it is over. */
  machine: HandshakeMachine;
  /** What the client said, header included: a repeat of it belongs here, another hello is another handshake. Empty as a client. */
  hello: Uint8Array;
  readonly credentials: ClientCredentials | undefined;
  /** Of a client: who waits for the end. */
  readonly settle: { connected(peer: SocketAddress, session: ResumableSession | undefined): void; failed(error: Error): void } | undefined;
  row: number;
  writeSequence: number;
  timer: Timer | undefined;
  /** Records of epoch 1 that came before the keys, whole. */
  early: Uint8Array[];
  earlyBytes: number;
  /** What the bound over all handshakes counts for this one. */
  countedBytes: number;
  /** Inputs that wait for their slice. */
  waiting: number;
  connected: boolean;
  over: boolean;
}

export interface RunStart {
  readonly role: "client" | "server";
  readonly address: SocketAddress;
  readonly machine: HandshakeMachine;
  readonly hello: Uint8Array;
  /** Of the first record of epoch 0. */
  readonly firstSequence: number;
  readonly credentials?: ClientCredentials;
  readonly settle?: HandshakeRun["settle"];
}

/** Nothing has happened to it yet. */
export function newRun({ role, address, machine, hello, firstSequence, credentials, settle }: RunStart, beganAt: number): HandshakeRun {
  return {
    role,
    beganAt,
    address: { address: address.address, port: address.port },
    machine,
    hello,
    credentials,
    settle,
    row: none,
    writeSequence: firstSequence,
    timer: undefined,
    early: [],
    earlyBytes: 0,
    countedBytes: 0,
    waiting: 0,
    connected: false,
    over: false,
  };
}

const noMachine: HandshakeMachine = { start: () => [], step: () => [], heldBytes: 0, close: () => {} };
const noHello = new Uint8Array(0);

/**
 * Lets go of all that is large. Maps and sets that many runs pass through leave old tables behind, which hold on to them until the next
 * full collection.
 */
export function empty(run: HandshakeRun): void {
  run.machine.close();
  run.machine = noMachine;
  run.hello = noHello;
  run.early = [];
  run.timer = undefined;
}

export class HandshakeRuns {
  readonly #byAddress = new Map<string, HandshakeRun>();
  readonly #byRow = new Map<number, HandshakeRun>();
  /** Asked for last: every record of a datagram asks for the same. */
  #askedFor: { readonly address: SocketAddress; readonly run: HandshakeRun | undefined } | undefined;

  get size(): number {
    return this.#byAddress.size;
  }

  at(address: SocketAddress): HandshakeRun | undefined {
    if (this.#byAddress.size === 0) return undefined;
    const asked = this.#askedFor;
    if (asked !== undefined && sameAddress(asked.address, address)) return asked.run;
    const run = this.#byAddress.get(keyOf(address));
    this.#askedFor = { address, run };
    return run;
  }

  ofRow(row: number): HandshakeRun | undefined {
    return this.#byRow.size === 0 ? undefined : this.#byRow.get(row);
  }

  add(run: HandshakeRun): void {
    this.#askedFor = undefined;
    this.#byAddress.set(keyOf(run.address), run);
  }

  addRow(run: HandshakeRun): void {
    this.#byRow.set(run.row, run);
  }

  remove(run: HandshakeRun): void {
    this.#askedFor = undefined;
    const key = keyOf(run.address);
    if (this.#byAddress.get(key) === run) this.#byAddress.delete(key);
    if (this.#byRow.get(run.row) === run) this.#byRow.delete(run.row);
  }

  all(): HandshakeRun[] {
    return [...new Set([...this.#byAddress.values(), ...this.#byRow.values()])];
  }
}

function keyOf({ address, port }: SocketAddress): string {
  return `${address} ${port}`;
}
