/**
 * A peer that says whatever it is told, in any order, and each time as right as it can be at that moment: signatures over the real
 * transcript, Finished under the keys there are, or under none. It uses codec and primitives, nothing of the machines it is to try.
 */
import { createHash } from "node:crypto";
import { CertificateType, ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { OwnKey, ResumableSession } from "../credentials-contract.ts";
import { type Ephemeral, makeEphemeral } from "../crypto/key-agreement.ts";
import { extendedMasterSecret, pskPremaster, verifyData } from "../crypto/prf.ts";
import { sign } from "../crypto/signature.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import type { HandshakeInput, OutgoingRecord } from "../handshake-contract.ts";
import * as codec from "../wire/handshake-codec.ts";
import { encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { pskIdentity, pskKey } from "./handshake-parties.ts";

export type Word = keyof typeof HandshakeType | "changeCipherSpec" | "plainFinished" | "emptyCertificate" | "applicationData" | "warning";

export interface WaywardWish {
  readonly role: "client" | "server";
  readonly suite: number;
  readonly own?: OwnKey;
  readonly session?: ResumableSession;
}

const random = new Uint8Array(32).fill(7);
const group = 23;
const scheme = 0x0403;
const userCanceled = Uint8Array.of(1, 90);

export class WaywardPeer {
  readonly #wish: WaywardWish;
  readonly #suite: Suite;
  #transcript: Uint8Array[] = [];
  #sequence: number;
  #heard = -1;
  #ephemeral: Ephemeral | undefined;
  #peerRandom = new Uint8Array(32);
  #peerPublic: Uint8Array | undefined;
  #master: Uint8Array | undefined;

  constructor(wish: WaywardWish) {
    const suite = suiteOf(wish.suite);
    if (suite === undefined) throw new Error("no such suite");
    this.#wish = wish;
    this.#suite = suite;
    // The first hello and its HelloVerifyRequest have gone before.
    this.#sequence = wish.role === "client" ? 1 : 0;
    this.#master = wish.session?.masterSecret;
  }

  say(word: Word): HandshakeInput {
    switch (word) {
      case "changeCipherSpec":
        return { kind: "record", type: ContentType.changeCipherSpec, epoch: 0, fragment: Uint8Array.of(1) };
      case "applicationData":
        return { kind: "application-data" };
      case "warning":
        return { kind: "record", type: ContentType.alert, epoch: 0, fragment: userCanceled };
      default: {
        const epoch = word === "finished" ? 1 : 0;
        return { kind: "record", type: ContentType.handshake, epoch, fragment: this.message(word) };
      }
    }
  }

  /** What the machine under trial said. */
  hear(records: readonly OutgoingRecord[]): void {
    for (const { type, fragment } of records) {
      if (type !== ContentType.handshake) continue;
      for (const { type: messageType, sequence, bytes } of readHandshakeFragments(fragment)) {
        if (sequence <= this.#heard) continue;
        this.#heard = sequence;
        this.#note(messageType, bytes);
        this.#transcript.push(encodeHandshakeMessage(messageType, sequence, bytes));
        if (messageType === HandshakeType.clientKeyExchange) this.#derive();
      }
    }
  }

  message(word: Word): Uint8Array {
    const type = typeOf(word);
    // HelloRequest has no place in the count or the transcript (RFC 5246 §7.4.1.1).
    if (word === "helloRequest") return encodeHandshakeMessage(type, this.#sequence, new Uint8Array(0));
    const message = encodeHandshakeMessage(type, this.#sequence++, this.#body(word));
    if (word === "helloVerifyRequest") this.#transcript = [];
    else this.#transcript.push(message);
    if (word === "clientKeyExchange") this.#derive();
    return message;
  }

  #body(word: Word): Uint8Array {
    switch (word) {
      case "clientHello":
        return codec.encodeClientHello(this.#clientHello());
      case "serverHello":
        return codec.encodeServerHello(this.#serverHello());
      case "helloVerifyRequest":
        return codec.encodeHelloVerifyRequest({ version: ProtocolVersion.dtls10, cookie: random });
      case "certificate":
        return codec.encodeCertificate({ type: CertificateType.rawPublicKey, publicKey: this.#wish.own?.publicKey });
      case "emptyCertificate":
        return codec.encodeCertificate({ type: CertificateType.rawPublicKey, publicKey: undefined });
      case "serverKeyExchange":
        return this.#serverKeyExchange();
      case "certificateRequest":
        return codec.encodeCertificateRequest({ certificateTypes: [64], signatureAlgorithms: [scheme], authorities: [] });
      case "clientKeyExchange":
        return this.#clientKeyExchange();
      case "certificateVerify":
        return codec.encodeCertificateVerify({ signatureScheme: scheme, signature: this.#signed(Buffer.concat(this.#transcript)) });
      case "newSessionTicket":
        return codec.encodeNewSessionTicket({ lifetimeHintSeconds: 1, ticket: random });
      case "finished":
      case "plainFinished":
        return this.#finished();
      default:
        return new Uint8Array(0);
    }
  }

  #clientHello() {
    const rpk = [CertificateType.rawPublicKey];
    const { session } = this.#wish;
    return {
      version: ProtocolVersion.dtls12,
      random,
      sessionId: session?.sessionId ?? new Uint8Array(0),
      cookie: random,
      cipherSuites: [this.#suite.id],
      compressionMethods: [0],
      extensions: {
        extendedMasterSecret: true as const,
        ...(this.#wish.own === undefined ? {} : { clientCertificateTypes: rpk, serverCertificateTypes: rpk }),
      },
    };
  }

  #serverHello() {
    const rpk = [CertificateType.rawPublicKey];
    const { session } = this.#wish;
    return {
      version: ProtocolVersion.dtls12,
      random,
      sessionId: session?.sessionId ?? new Uint8Array(0),
      cipherSuite: this.#suite.id,
      compressionMethod: 0,
      extensions: {
        extendedMasterSecret: true as const,
        ...(this.#wish.own === undefined || session !== undefined ? {} : { clientCertificateTypes: rpk, serverCertificateTypes: rpk }),
      },
    };
  }

  #serverKeyExchange(): Uint8Array {
    if (this.#suite.keyExchange === "psk") return codec.encodeServerKeyExchange({ pskIdentityHint: random });
    const { publicKey } = this.#ownEphemeral();
    const signature = this.#signed(codec.signedParameters(this.#peerRandom, random, { group, publicKey }));
    return codec.encodeServerKeyExchange({ group, publicKey, signatureScheme: scheme, signature });
  }

  #clientKeyExchange(): Uint8Array {
    if (this.#suite.keyExchange === "psk") return codec.encodeClientKeyExchange({ pskIdentity });
    return codec.encodeClientKeyExchange({ publicKey: this.#ownEphemeral().publicKey });
  }

  #signed(bytes: Uint8Array): Uint8Array {
    const { own } = this.#wish;
    return own === undefined ? random : sign(scheme, own.privateKey, bytes);
  }

  /** Before there is a master secret it is made of zeros: what early ChangeCipherSpec attacks hope for. */
  #finished(): Uint8Array {
    const { prfHash } = this.#suite;
    const hash = createHash(prfHash);
    for (const message of this.#transcript) hash.update(message);
    return verifyData(prfHash, this.#master ?? new Uint8Array(48), this.#wish.role, hash.digest());
  }

  #note(type: number, body: Uint8Array): void {
    if (type === HandshakeType.clientHello) {
      this.#peerRandom = new Uint8Array(codec.decodeClientHello(body).random);
      // The hello that counts is the last one.
      this.#transcript = [];
    }
    if (type === HandshakeType.serverHello) this.#peerRandom = new Uint8Array(codec.decodeServerHello(body).random);
    if (type === HandshakeType.serverKeyExchange) this.#peerPublic = codec.decodeServerKeyExchange(body, this.#suite.keyExchange).publicKey;
    if (type === HandshakeType.clientKeyExchange) this.#peerPublic = codec.decodeClientKeyExchange(body, this.#suite.keyExchange).publicKey;
  }

  #derive(): void {
    const { prfHash, keyExchange } = this.#suite;
    const peerPublic = this.#peerPublic;
    if (keyExchange !== "psk" && peerPublic === undefined) return;
    const premaster = peerPublic === undefined ? pskPremaster(pskKey) : this.#ownEphemeral().agree(peerPublic);
    const hash = createHash(prfHash);
    for (const message of this.#transcript) hash.update(message);
    this.#master = extendedMasterSecret(prfHash, premaster, hash.digest());
  }

  #ownEphemeral(): Ephemeral {
    this.#ephemeral ??= makeEphemeral(group);
    return this.#ephemeral;
  }
}

function typeOf(word: Word): number {
  switch (word) {
    case "plainFinished":
      return HandshakeType.finished;
    case "emptyCertificate":
      return HandshakeType.certificate;
    case "changeCipherSpec":
    case "applicationData":
    case "warning":
      throw new Error(`${word} is no handshake message`);
    default:
      return HandshakeType[word];
  }
}
