/**
 * The door before everything that costs memory: a ClientHello is answered by a cookie until it brings the right one (RFC 6347 §4.2.1).
 *
 * No state per peer: the cookie is a MAC over the address and the hello, under a key that changes every five minutes and is accepted
 * for the period after, too. Whatever is not a whole ClientHello in one fragment is dropped: no alert before the cookie.
 */
import { timingSafeEqual } from "node:crypto";
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import { digests } from "../crypto/back-end.ts";
import { hashBytesOf, hmac } from "../crypto/hmac.ts";
import { encodeHelloVerifyRequest } from "../wire/handshake-codec.ts";
import { handshakeHeaderBytes, writeHandshakeHeader } from "../wire/handshake-header.ts";
import { RecordView, recordHeaderBytes, writeRecordHeader } from "../wire/record-header.ts";
import { type HelloSkim, skimHello } from "./hello-skim.ts";

export type Considered =
  | { readonly kind: "drop" }
  /** One datagram for the sender, never longer than the one it answers. */
  | { readonly kind: "reply"; readonly datagram: Uint8Array }
  | {
      readonly kind: "accept";
      /** The message, header and body, copied: what `ServerHandshake` takes. */
      readonly hello: Uint8Array;
      /** Of the record: the first record of the answer has this one, too (RFC 6347 §4.2.1). */
      readonly recordSequence: number;
    };

/** How long a cookie key is the newest, milliseconds; a cookie is good for one to two of these. */
export const cookiePeriodMs = 300_000;
/** Bytes of HMAC-SHA-256 that are sent: nobody guesses 128 bits, and devices pay for every byte. */
const cookieBytes = 16;

const dropped: Considered = { kind: "drop" };

export class FrontDoor {
  readonly #secret: Uint8Array;
  readonly #view = new RecordView();
  readonly #cookie = new CookiePlace();
  readonly #olderCookie = new CookiePlace();
  #period = Number.NaN;
  #key: Uint8Array = new Uint8Array(0);
  #previousKey: Uint8Array = new Uint8Array(0);

  /** `secret`: 32 unpredictable bytes of this listener. */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** Looks at the first record of a datagram that belongs to no handshake under way. */
  consider(datagram: Uint8Array, from: SocketAddress, nowMs: number): Considered {
    const view = this.#view;
    if (view.read(datagram, 0, 0) === -1 || view.type !== ContentType.handshake || view.epoch !== 0) return dropped;
    const record = datagram.subarray(view.fragmentAt, view.fragmentAt + view.fragmentBytes);
    const hello = skimHello(record);
    if (hello === undefined) return dropped;
    this.#turnKeys(nowMs);
    const fields = fieldsOf(hello, from);
    const recordSequence = view.sequence;
    const cookie = this.#cookie.by(this.#key, fields);
    // Most of a flood brings none, and costs one MAC.
    const mayBeOurs = hello.cookie.length === cookieBytes;
    if (
      mayBeOurs &&
      (timingSafeEqual(hello.cookie, cookie) || timingSafeEqual(hello.cookie, this.#olderCookie.by(this.#previousKey, fields)))
    ) {
      return { kind: "accept", hello: new Uint8Array(record), recordSequence };
    }
    return { kind: "reply", datagram: verifyRequest(cookie, hello.messageSequence, recordSequence) };
  }

  #turnKeys(nowMs: number): void {
    const period = Math.floor(nowMs / cookiePeriodMs);
    if (period === this.#period) return;
    this.#period = period;
    this.#key = this.#keyOf(period);
    this.#previousKey = this.#keyOf(period - 1);
  }

  #keyOf(period: number): Uint8Array {
    return hmac("sha256", this.#secret, Buffer.from(`cookie key of period ${period}`));
  }
}

/** RFC 6347 §4.2.1 names them: the address, and every parameter of the hello that the second one must repeat. */
function fieldsOf(hello: HelloSkim, { address, port }: SocketAddress): readonly Uint8Array[] {
  const sender = Buffer.from(`${address} ${port} `);
  // The fields keep their lengths, so that none can grow into the next.
  return [sender, hello.versionRandomAndSession, hello.suitesAndCompression];
}

/** A place for one cookie after the other: everybody who asks is told his, so it may be text on its way. */
class CookiePlace {
  readonly #mac = Buffer.alloc(hashBytesOf("sha256"));
  readonly #cookie = this.#mac.subarray(0, cookieBytes);

  /** Good until the next one. */
  by(key: Uint8Array, fields: readonly Uint8Array[]): Uint8Array {
    digests().writeHmac("sha256", key, fields, this.#mac);
    return this.#cookie;
  }
}

/** Version 1.0 in both places: it says nothing about what will be negotiated (RFC 6347 §4.2.1). */
function verifyRequest(cookie: Uint8Array, messageSequence: number, recordSequence: number): Uint8Array {
  const version = ProtocolVersion.dtls10;
  const body = encodeHelloVerifyRequest({ version, cookie });
  const { length } = body;
  const datagram = new Uint8Array(recordHeaderBytes + handshakeHeaderBytes + length);
  const header = { type: ContentType.handshake, epoch: 0, sequence: recordSequence, version };
  const messageAt = writeRecordHeader(datagram, 0, header, handshakeHeaderBytes + length);
  writeHandshakeHeader(datagram, messageAt, { type: HandshakeType.helloVerifyRequest, length, sequence: messageSequence }, 0, length);
  datagram.set(body, messageAt + handshakeHeaderBytes);
  return datagram;
}
