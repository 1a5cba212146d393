/** Our DTLS endpoint on a real socket, every record of its datagrams noted, in the two roles of the matrix. */

import { SessionMemory } from "@lwm2m/protocol/dtls/credentials/session-memory";
import { recordProtection } from "@lwm2m/protocol/dtls/crypto/back-end";
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpointParts } from "@lwm2m/protocol/dtls/endpoint/site";
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import { defaultHandshakeSettings, type HandshakeSettings } from "@lwm2m/protocol/dtls/handshake-contract";
import { recordKeyForm } from "@lwm2m/protocol/platform/record-key-form";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { eventually } from "../../platform/deadline.ts";
import { ourServerCredentials } from "../credentials.ts";
import { mayEndBySilence, type Wish } from "../wish.ts";

export const loopback = "127.0.0.1";
const text = new TextDecoder();
const utf8 = new TextEncoder();
const sessionSettings = { most: 16, lifetimeMs: 3_600_000 };
const arrivalMs = 30_000;
const looksUntilAgain = 40;
/** Who is met with silence fails within seconds instead of minutes; enough for a Java machine that computes its first keys on a busy machine. */
const hasty = { initialTimeoutMs: 400, mostRetransmissions: 4, deadlineMs: 6_000 } as const;

/** The outer header of a record, read here by hand: what went over the wire is judged without the code that put it there. */
export interface WireRecord {
  readonly outgoing: boolean;
  readonly type: number;
  readonly epoch: number;
  /** Plain, protected or not, without the header. */
  readonly lengthBytes: number;
}

export class OurDtls {
  readonly endpoint: DtlsEndpoint;
  readonly news: DtlsNews[] = [];
  readonly heard: { readonly text: string; readonly from: SocketAddress }[] = [];
  readonly records: WireRecord[];
  /** SNI names clients asked for. */
  readonly asked: (string | undefined)[];

  private constructor(endpoint: DtlsEndpoint, records: WireRecord[], asked: (string | undefined)[]) {
    this.endpoint = endpoint;
    this.records = records;
    this.asked = asked;
    endpoint.onNews((news) => this.news.push(news));
  }

  /** Takes handshakes of clients; `extra` goes over what the wish says. */
  static async server(wish: Wish, extra: Partial<DtlsEndpointParts> = {}): Promise<OurDtls> {
    const asked: (string | undefined)[] = [];
    const sessions = new SessionMemory(sessionSettings, systemClock);
    return OurDtls.#open(wish, asked, { server: { credentials: ourServerCredentials(wish, asked), sessions }, ...extra });
  }

  static client(wish: Wish, extra: Partial<DtlsEndpointParts> = {}): Promise<OurDtls> {
    return OurDtls.#open(wish, [], extra);
  }

  static async #open(wish: Wish, asked: (string | undefined)[], parts: Partial<DtlsEndpointParts>): Promise<OurDtls> {
    const records: WireRecord[] = [];
    const socket = parts.socket ?? (await openUdpSocket({ address: loopback, port: 0 }));
    const endpoint = await openDtlsEndpoint({
      clock: systemClock,
      random: systemRandom,
      protection: recordProtection({ random: systemRandom, keyForm: recordKeyForm }),
      ...parts,
      socket: tapped(socket, wish.ourId ?? 0, wish.peerId ?? 0, records),
      settings: { ...settingsFor(wish, parts.server !== undefined), ...parts.settings },
      onBug: (error) => {
        throw error;
      },
    });
    return new OurDtls(endpoint, records, asked);
  }

  get port(): number {
    return this.endpoint.plaintext.local.port;
  }

  get texts(): readonly string[] {
    return this.heard.map((each) => each.text);
  }

  /** Answers every datagram with "echo " and itself, after one without content when the wish says so. */
  echo(wish: Wish): this {
    return this.onText((words, from) => {
      if (wish.weSendEmpty) this.say(from, "");
      if (wish.recordSize !== undefined) this.say(from, "x".repeat(wish.recordSize + 1));
      this.say(from, `echo ${words}`);
    });
  }

  onText(take: (words: string, from: SocketAddress) => void = () => {}): this {
    this.endpoint.plaintext.onDatagram((bytes, from) => {
      const words = text.decode(bytes);
      this.heard.push({ text: words, from });
      take(words, from);
    });
    return this;
  }

  say(to: SocketAddress, words: string): void {
    this.endpoint.plaintext.send(utf8.encode(words), to);
  }

  /** The first news of the kind, or the nth. */
  tells<K extends DtlsNews["kind"]>(kind: K, nth = 1): Promise<Extract<DtlsNews, { readonly kind: K }>> {
    return eventually(`${kind} at our side`, arrivalMs, () => {
      const found = this.news.filter((news): news is Extract<DtlsNews, { readonly kind: K }> => news.kind === kind);
      return found[nth - 1];
    });
  }

  /** Resolves once something that fits was heard. */
  /** `sayAgain`: each two seconds without; a record may be lost, also by a peer that is still busy with the one before. */
  hears(what: string, fits: (words: string) => boolean, sayAgain: () => void = () => {}): Promise<string> {
    let looks = 0;
    return eventually(`${what} at our side`, arrivalMs, () => {
      if (++looks % looksUntilAgain === 0) sayAgain();
      return this.texts.find(fits);
    });
  }

  close(): Promise<void> {
    return this.endpoint.close({ persist: false });
  }
}

function settingsFor(wish: Wish, isServer: boolean): Partial<HandshakeSettings> {
  return {
    cipherSuites: isServer ? [...new Set([...defaultHandshakeSettings.cipherSuites, wish.suite])] : [wish.suite],
    connectionIdBytes: wish.ourId,
    ...(wish.recordSize === undefined || isServer ? {} : { maxFragmentLength: wish.recordSize }),
    requireExtendedMasterSecret: wish.weRequireEms,
    ...(mayEndBySilence(wish) ? hasty : {}),
  };
}

function tapped(socket: DatagramSocket, ourId: number, peerId: number, records: WireRecord[]): DatagramSocket {
  return {
    local: socket.local,
    send: (bytes, to) => {
      records.push(...recordsOf(bytes, true, peerId));
      socket.send(bytes, to);
    },
    onDatagram: (receive) =>
      socket.onDatagram((bytes, from) => {
        records.push(...recordsOf(bytes, false, ourId));
        receive(bytes, from);
      }),
    close: () => socket.close(),
  };
}

const typeWithId = 25;
const headerBytes = 13;

function recordsOf(bytes: Uint8Array, outgoing: boolean, idBytes: number): WireRecord[] {
  const found: WireRecord[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const type = view.getUint8(at);
    const id = type === typeWithId ? idBytes : 0;
    const lengthBytes = at + headerBytes + id <= bytes.length ? view.getUint16(at + 11 + id) : 0;
    found.push({ outgoing, type, epoch: view.getUint16(at + 3), lengthBytes });
    at += headerBytes + id + lengthBytes;
  }
  return found;
}
