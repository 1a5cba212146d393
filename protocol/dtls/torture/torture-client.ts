/**
 * A DTLS client with a pre-shared key that does what it is told, message by message and record by record: codec and primitives only,
 * nothing of the machines it is to try. Numbers of records and messages, epochs, ids and addresses are the test's to choose.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import { nodeRecordProtection } from "../crypto/node-record-protection.ts";
import { extendedMasterSecret, type KeyMaterial, keyBlock, pskPremaster, verifyData } from "../crypto/prf.ts";
import { type KeyPlace, newRecordFacts, sealedBytes } from "../crypto/record-protection.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import type { ClientHello, HelloExtensions } from "../messages.ts";
import * as codec from "../wire/handshake-codec.ts";
import { encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { RecordView, recordHeaderBytes, writeConnectionIdHeader, writeRecordHeader } from "../wire/record-header.ts";
import type { WireEnd } from "./wire-end.ts";

export interface TortureWish {
  readonly at: SocketAddress;
  readonly name?: string;
  readonly key?: Uint8Array;
  readonly suite?: number;
  /** What the server is to write to us; undefined does not speak of ids. */
  readonly connectionId?: Uint8Array;
  readonly extensions?: HelloExtensions;
}

export interface RecordWish {
  readonly epoch?: number;
  /** Default the next of its epoch. */
  readonly sequence?: number;
  readonly version?: number;
}

export interface Heard {
  readonly type: number;
  readonly epoch: number;
  readonly sequence: number;
  /** In the clear; undefined for what our keys do not open. */
  readonly content: Uint8Array | undefined;
}

const random = seededRandom(77);
const protection = nodeRecordProtection({ random });
const utf8 = new TextEncoder();

export class TortureClient {
  readonly at: SocketAddress;
  /** Everything the server sent here, in order. */
  readonly datagrams: Uint8Array[] = [];
  /** Next of each epoch. */
  readonly sequences = [0, 0, 0];
  messageSequence = 0;
  cookie: Uint8Array = new Uint8Array(0);
  /** What our records carry, as the ServerHello says. */
  serverId: Uint8Array | undefined;
  readonly transcript: Uint8Array[] = [];
  readonly #wire: WireEnd;
  readonly #wish: TortureWish;
  readonly #suite: Suite;
  readonly #random = random.bytes(32);
  #serverRandom = new Uint8Array(32);
  #master: Uint8Array | undefined;
  #keys: KeyMaterial | undefined;
  #heardMessages = -1;

  constructor(wire: WireEnd, wish: TortureWish) {
    const suite = suiteOf(wish.suite ?? 0xc0a8);
    assert.ok(suite);
    this.at = wish.at;
    this.#wire = wire;
    this.#wish = wish;
    this.#suite = suite;
  }

  /** Whole datagrams as they are, from here or from somewhere else. */
  send(bytes: Uint8Array, from: SocketAddress = this.at): void {
    this.#wire.inject(bytes, from);
  }

  /** The server's datagrams are to be handed over: whoever owns the wire does. */
  hear(bytes: Uint8Array): void {
    this.datagrams.push(bytes);
    const plain = records(bytes, this.#wish.connectionId?.length ?? 0).filter(
      ({ epoch, type }) => epoch === 0 && type === ContentType.handshake,
    );
    for (const { fragment } of plain) {
      for (const { type, sequence, bytes: body } of readHandshakeFragments(fragment)) this.#note(type, sequence, body);
    }
  }

  /** Every record heard since the `from`th datagram, opened where our keys do. */
  heard(from = 0): Heard[] {
    const all = this.datagrams.slice(from).flatMap((bytes) => records(bytes, this.#wish.connectionId?.length ?? 0));
    return all.map((record) => ({ ...record, ...this.#opened(record) }));
  }

  hello(changes: Partial<ClientHello> = {}): Uint8Array {
    const { connectionId, extensions } = this.#wish;
    const body = codec.encodeClientHello({
      version: ProtocolVersion.dtls12,
      random: this.#random,
      sessionId: new Uint8Array(0),
      cookie: this.cookie,
      cipherSuites: [this.#suite.id],
      compressionMethods: [0],
      extensions: { extendedMasterSecret: true, ...(connectionId === undefined ? {} : { connectionId }), ...extensions },
      ...changes,
    });
    const message = encodeHandshakeMessage(HandshakeType.clientHello, this.messageSequence++, body);
    this.transcript.length = 0;
    this.transcript.push(message);
    return message;
  }

  keyExchange(): Uint8Array {
    const body = codec.encodeClientKeyExchange({ pskIdentity: utf8.encode(this.#wish.name ?? "dev1") });
    const message = this.message(HandshakeType.clientKeyExchange, body);
    this.derive();
    return message;
  }

  /** From the transcript as it is now; without a ClientKeyExchange from nothing, as early ChangeCipherSpec attacks hope for. */
  derive(): void {
    const { prfHash } = this.#suite;
    const premaster = pskPremaster(this.#wish.key ?? utf8.encode(`key of ${this.#wish.name ?? "dev1"}`));
    this.#master = extendedMasterSecret(prfHash, premaster, this.#transcriptHash());
    this.#keys = keyBlock(this.#suite, this.#master, this.#random, this.#serverRandom);
  }

  /** Keys of a master secret of zeros. */
  deriveFromNothing(): void {
    this.#master = new Uint8Array(48);
    this.#keys = keyBlock(this.#suite, this.#master, this.#random, this.#serverRandom);
  }

  finished(): Uint8Array {
    assert.ok(this.#master);
    return this.message(HandshakeType.finished, verifyData(this.#suite.prfHash, this.#master, "client", this.#transcriptHash()));
  }

  /** Joins the transcript under the next message_seq. */
  message(type: number, body: Uint8Array): Uint8Array {
    const message = encodeHandshakeMessage(type, this.messageSequence++, body);
    this.transcript.push(message);
    return message;
  }

  /** A plain record. */
  record(type: number, fragment: Uint8Array, { epoch = 0, sequence, version }: RecordWish = {}): Uint8Array {
    const out = new Uint8Array(recordHeaderBytes + fragment.length);
    const header = { type, epoch, sequence: sequence ?? this.#next(epoch), ...(version === undefined ? {} : { version }) };
    out.set(fragment, writeRecordHeader(out, 0, header, fragment.length));
    return out;
  }

  handshake(...messages: Uint8Array[]): Uint8Array {
    return Buffer.concat(messages.map((message) => this.record(ContentType.handshake, message)));
  }

  changeCipherSpec(wish: RecordWish = {}): Uint8Array {
    return this.record(ContentType.changeCipherSpec, Uint8Array.of(1), wish);
  }

  /** A protected record; with an empty `id` in the form of RFC 6347. */
  sealed(type: number, content: Uint8Array, { sequence, epoch = 1 }: RecordWish = {}, id = this.serverId): Uint8Array {
    const number = sequence ?? this.#next(epoch);
    const facts = newRecordFacts();
    facts.contentType = type;
    facts.sequence = number;
    facts.epoch = epoch;
    if (id !== undefined && id.length > 0) {
      facts.connectionId = id;
      facts.connectionIdBytes = id.length;
    }
    const place = this.#place("client");
    const length = sealedBytes(place, facts, content.length);
    const out = new Uint8Array(recordHeaderBytes + facts.connectionIdBytes + length);
    const at =
      facts.connectionIdBytes === 0
        ? writeRecordHeader(out, 0, { type, epoch, sequence: number }, length)
        : writeConnectionIdHeader(out, 0, { epoch, sequence: number, connectionId: facts.connectionId }, length);
    protection.seal(place, facts, content, 0, content.length, out, at);
    return out;
  }

  data(text: string, wish: RecordWish = {}): Uint8Array {
    return this.sealed(ContentType.applicationData, utf8.encode(text), wish);
  }

  alert(level: number, description: number): Uint8Array {
    return Uint8Array.of(level, description);
  }

  /** Both hellos: the server's first flight is there afterwards. */
  knock(): void {
    this.send(this.handshake(this.hello()));
    this.send(this.handshake(this.hello()));
  }

  /** All of the handshake, in order. */
  connect(): void {
    this.knock();
    this.send(this.handshake(this.keyExchange()));
    this.send(this.changeCipherSpec());
    this.send(this.sealed(ContentType.handshake, this.finished()));
  }

  #next(epoch: number): number {
    const next = this.sequences[epoch] ?? 0;
    this.sequences[epoch] = next + 1;
    return next;
  }

  #note(type: number, sequence: number, body: Uint8Array): void {
    if (type === HandshakeType.helloVerifyRequest) this.cookie = codec.decodeHelloVerifyRequest(body).cookie;
    else if (sequence > this.#heardMessages) {
      this.#heardMessages = sequence;
      this.transcript.push(encodeHandshakeMessage(type, sequence, body));
      if (type !== HandshakeType.serverHello) return;
      const hello = codec.decodeServerHello(body);
      this.#serverRandom = new Uint8Array(hello.random);
      this.serverId = hello.extensions.connectionId;
    }
  }

  #transcriptHash(): Uint8Array {
    const hash = createHash(this.#suite.prfHash);
    for (const message of this.transcript) hash.update(message);
    return hash.digest();
  }

  #opened({ type, sequence, epoch, fragment }: ReturnType<typeof records>[number]): Pick<Heard, "type" | "content"> {
    if (epoch === 0) return { type, content: fragment };
    if (this.#keys === undefined) return { type, content: undefined };
    const facts = newRecordFacts();
    facts.contentType = type;
    facts.sequence = sequence;
    if (type === ContentType.connectionId && this.#wish.connectionId !== undefined) {
      facts.connectionId = this.#wish.connectionId;
      facts.connectionIdBytes = this.#wish.connectionId.length;
    }
    const out = new Uint8Array(fragment.length);
    const length = protection.open(this.#place("server"), facts, fragment, 0, fragment.length, out, 0);
    return length < 0 ? { type, content: undefined } : { type: facts.contentType, content: out.subarray(0, length) };
  }

  #place(writer: "client" | "server"): KeyPlace {
    const keys = this.#keys;
    assert.ok(keys, "no keys yet");
    const { keyBytes } = this.#suite;
    const bytes = writer === "client" ? Buffer.concat([keys.clientKey, keys.clientIv]) : Buffer.concat([keys.serverKey, keys.serverIv]);
    return { suite: this.#suite, encryptThenMac: false, bytes, macKeyAt: 0, keyAt: 0, ivAt: keyBytes };
  }
}

/** The records of a datagram; whatever follows the last whole one fails. */
export function records(datagram: Uint8Array, idBytes: number): { type: number; epoch: number; sequence: number; fragment: Uint8Array }[] {
  const view = new RecordView();
  const found = [];
  for (let at = 0; at < datagram.length; ) {
    const next = view.read(datagram, at, idBytes);
    assert.ok(next > 0, `no record at ${at} of ${Buffer.from(datagram).toString("hex")}`);
    const { type, epoch, sequence, fragmentAt } = view;
    found.push({ type, epoch, sequence, fragment: datagram.subarray(fragmentAt, next) });
    at = next;
  }
  return found;
}
