/**
 * Two handshake machines on the virtual clock, the cookie front door before the server, and between them a wire whose every datagram
 * can be lost, doubled, delayed or replaced. Records of epoch 1 travel in the clear here and count as opened when both sides derived
 * the same keys: protection is the record layer's, and tested there.
 */
import { sameBytes } from "../../bytes/same-bytes.ts";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { ContentType } from "../constants.ts";
import { FrontDoor } from "../cookie/front-door.ts";
import type { ClientCredentials, ResumableSession, ServerRealm, SessionCache } from "../credentials-contract.ts";
import { ClientHandshake } from "../handshake/client-handshake.ts";
import { ServerHandshake } from "../handshake/server-handshake.ts";
import {
  type Answer,
  defaultHandshakeSettings,
  type HandshakeEffect,
  type HandshakeInput,
  type HandshakeSettings,
  type OutgoingRecord,
  type Question,
} from "../handshake-contract.ts";
import { RecordView, writeRecordHeader } from "../wire/record-header.ts";
import { disagreements, type RoleName, Side } from "./handshake-side.ts";

export interface WireDatagram {
  readonly from: RoleName;
  /** Counts the datagrams of both sides. */
  readonly index: number;
  readonly records: readonly OutgoingRecord[];
}

/** Delays in milliseconds, one for every copy that arrives; none loses it. */
export type Fate = readonly number[];

export interface WorldWish {
  readonly clientSettings?: Partial<HandshakeSettings>;
  readonly serverSettings?: Partial<HandshakeSettings>;
  readonly credentials: ClientCredentials;
  readonly realm: ServerRealm;
  readonly realmOf?: (serverName: string | undefined) => ServerRealm | undefined;
  readonly session?: ResumableSession;
  readonly sessions?: SessionCache;
  readonly clientId?: Uint8Array;
  readonly serverId?: Uint8Array;
  readonly fate?: (datagram: WireDatagram) => Fate;
  /** Records as they arrive instead of those sent. */
  readonly forge?: (datagram: WireDatagram) => readonly OutgoingRecord[];
  /** Records per datagram; default all of a flight. */
  readonly recordsPerDatagram?: number;
  /** How long an answer takes, and what it is; undefined never comes. Default: at once, what the realm or the credentials say. */
  readonly answer?: (
    question: Question,
    side: RoleName,
    right: Answer,
  ) => { readonly afterMs: number; readonly answer: Answer } | undefined;
  /** Records of epoch 1 that come before there are keys; default kept for later, as the endpoint does. */
  readonly earlyRecords?: "kept" | "dropped";
  readonly seed?: number;
  /** In [0, 1): how late the timers are within their jitter; by chance unless told. */
  readonly jitter?: number;
}

const clientAddress: SocketAddress = { address: "10.0.0.2", port: 40_000 };
const wireMs = 20;

export class HandshakeWorld {
  readonly clock = new VirtualClock(1_700_000_000_000, () => Promise.resolve());
  readonly client = new Side();
  readonly server = new Side();
  readonly sent: WireDatagram[] = [];
  /** HelloVerifyRequests of the front door. */
  cookies = 0;
  readonly #wish: WorldWish;
  readonly #random;
  readonly #door: FrontDoor;
  readonly #startedAt = this.clock.now();
  #hello: Uint8Array | undefined;
  #recordSequence = 0;

  constructor(wish: WorldWish) {
    this.#wish = wish;
    const random = seededRandom(wish.seed ?? 1);
    const { jitter } = wish;
    this.#random = jitter === undefined ? random : { ...random, fraction: () => jitter };
    this.#door = new FrontDoor(this.#random.bytes(32));
  }

  /** Begins and runs for so long; by then every default timer has ended. */
  async run(forMs = 600_000): Promise<this> {
    this.start();
    await this.clock.advance(forMs);
    return this;
  }

  start(): void {
    const { clientSettings, credentials, session, clientId } = this.#wish;
    const settings = { ...defaultHandshakeSettings, ...clientSettings };
    const machine = new ClientHandshake({
      settings,
      credentials,
      random: this.#random,
      ...(session === undefined ? {} : { session }),
      ...(clientId === undefined ? {} : { ownConnectionId: clientId }),
    });
    this.client.machine = machine;
    this.#apply("client", machine.start(this.clock.now()));
  }

  /** Feeds a machine from outside. */
  step(name: RoleName, input: HandshakeInput): void {
    const side = this[name];
    this.#apply(name, side.machine?.step(input, this.clock.now()) ?? []);
  }

  /** What keeps this from being one connection that both sides see alike; nothing when it is. */
  faults(): readonly string[] {
    const { client, server } = this;
    const failures = [client.failure, server.failure].filter((failure) => failure !== undefined);
    return [...disagreements(client, server), ...failures];
  }

  #apply(name: RoleName, effects: readonly HandshakeEffect[]): void {
    const side = this[name];
    for (const effect of effects) {
      switch (effect.kind) {
        case "send":
          this.#send(name, effect.records);
          break;
        case "keys":
          side.keys = effect.keys;
          break;
        case "timer":
          this.#setTimer(name, effect.delayMs);
          break;
        case "ask":
          this.#ask(name, effect.ask, effect.question);
          break;
        case "connected":
          if (side.facts !== undefined || side.failure !== undefined) throw new Error(`${name}: connected after the end`);
          side.facts = effect.facts;
          break;
        case "done":
          side.isDone = true;
          break;
        case "failed":
          if (side.facts !== undefined) throw new Error(`${name}: failed after connected`);
          side.failure = effect.failure;
          side.reason = effect.reason;
          break;
      }
    }
    if (side.keys !== undefined && side.early.length > 0) this.#openEarly(name);
  }

  #send(from: RoleName, records: readonly OutgoingRecord[]): void {
    const side = this[from];
    side.sentAt.push(this.clock.now() - this.#startedAt);
    for (const { type, fragment } of records) if (type === ContentType.alert) side.alerts.push(fragment[1] ?? -1);
    const { recordsPerDatagram = records.length, fate, forge } = this.#wish;
    for (let at = 0; at < records.length; at += recordsPerDatagram) {
      const datagram: WireDatagram = { from, index: this.sent.length, records: records.slice(at, at + recordsPerDatagram) };
      this.sent.push(datagram);
      const arriving = forge?.(datagram) ?? datagram.records;
      for (const delayMs of fate?.(datagram) ?? [0]) {
        this.clock.after(wireMs + delayMs, () => this.#arrive(from, arriving));
      }
    }
  }

  #arrive(from: RoleName, records: readonly OutgoingRecord[]): void {
    const to = from === "client" ? "server" : "client";
    for (const record of records) {
      if (to === "server" && record.epoch === 0 && record.fragment[0] === 1 && record.type === ContentType.handshake) {
        if (this.#knock(record)) continue;
      }
      // What cannot be opened is dropped by the record layer.
      if (record.epoch === 1 && this[to].keys === undefined && this.#wish.earlyRecords !== "dropped") this[to].early.push(record);
      if (record.epoch === 1 && !this.#canOpen(from, to)) continue;
      this.step(to, { kind: "record", ...record, fragment: record.fragment.slice() });
    }
  }

  #openEarly(to: RoleName): void {
    const from = to === "client" ? "server" : "client";
    if (!this.#canOpen(from, to)) return;
    for (const record of this[to].early.splice(0)) this.step(to, { kind: "record", ...record, fragment: record.fragment.slice() });
  }

  /** True when the front door dealt with it. */
  #knock(record: OutgoingRecord): boolean {
    const considered = this.#door.consider(plainDatagram(record, this.#recordSequence++), clientAddress, this.clock.now());
    if (considered.kind === "reply") {
      this.cookies += 1;
      this.#send("server", [recordOf(considered.datagram)]);
      return true;
    }
    if (considered.kind === "drop") return true;
    if (this.#hello !== undefined && sameBytes(this.#hello, considered.hello)) return false;
    this.#hello = considered.hello;
    const { serverSettings, realm, realmOf, sessions, serverId } = this.#wish;
    const machine = new ServerHandshake({
      settings: { ...defaultHandshakeSettings, ...serverSettings },
      credentials: { realmOf: realmOf ?? (() => realm) },
      random: this.#random,
      verifiedHello: considered.hello,
      ...(sessions === undefined ? {} : { sessions }),
      ...(serverId === undefined ? {} : { ownConnectionId: serverId }),
    });
    this.server.machine = machine;
    this.#apply("server", machine.start(this.clock.now()));
    return true;
  }

  #canOpen(from: RoleName, to: RoleName): boolean {
    const [sealed, opened] = [this[from].keys, this[to].keys];
    if (sealed === undefined || opened === undefined) return false;
    const [one, other] = from === "client" ? [sealed.clientKey, opened.clientKey] : [sealed.serverKey, opened.serverKey];
    return Buffer.compare(one, other) === 0;
  }

  #setTimer(name: RoleName, delayMs: number | undefined): void {
    const side = this[name];
    side.timer?.cancel();
    side.timer = delayMs === undefined ? undefined : this.clock.after(delayMs, () => this.step(name, { kind: "timeout" }));
  }

  #ask(name: RoleName, ask: number, question: Question): void {
    this[name].questions.push(question);
    const right = this.#rightAnswer(question);
    const wished = this.#wish.answer === undefined ? { afterMs: 0, answer: right } : this.#wish.answer(question, name, right);
    if (wished === undefined) return;
    this.clock.after(wished.afterMs, () => this.step(name, { kind: "answer", ask, answer: wished.answer }));
  }

  #rightAnswer(question: Question): Answer {
    switch (question.kind) {
      case "psk":
        return { kind: "psk", key: present(question.realm.findPsk?.(question.identity)) };
      case "verify": {
        const verifier = question.realm === undefined ? this.#wish.credentials.verifyServer : question.realm.verifyClient;
        const verdict = present(verifier?.(question.presented));
        return verdict === undefined ? { kind: "failed", reason: "no verifier" } : { kind: "verify", verdict };
      }
      case "still-welcome":
        return { kind: "still-welcome", welcome: present(question.realm.isStillWelcome?.(question.identity)) ?? true };
    }
  }
}

/** In these tests look-ups answer at once; lateness is the wish's. */
function present<T>(value: T | Promise<T>): T {
  if (value instanceof Promise) throw new Error("the world answers at once: use `answer` for late ones");
  return value;
}

function plainDatagram({ type, fragment }: OutgoingRecord, sequence: number): Uint8Array {
  const datagram = new Uint8Array(13 + fragment.length);
  datagram.set(fragment, writeRecordHeader(datagram, 0, { type, epoch: 0, sequence }, fragment.length));
  return datagram;
}

function recordOf(datagram: Uint8Array): OutgoingRecord {
  const view = new RecordView();
  view.read(datagram, 0, 0);
  return { type: view.type, epoch: 0, fragment: datagram.slice(view.fragmentAt, view.fragmentAt + view.fragmentBytes) };
}
