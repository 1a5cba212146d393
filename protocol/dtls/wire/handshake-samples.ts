/** Handshake messages of every type: those of recorded connections, and our own for what they do not carry. */
import assert from "node:assert/strict";
import { seededRandom } from "../../testing/seeded-random.ts";
import { CertificateType, HandshakeType } from "../constants.ts";
import { suiteOf } from "../crypto/suites.ts";
import type { ClientHello, HelloExtensions, KeyExchange, ServerHello } from "../messages.ts";
import { bytesOf, messagesOf, recordsOf } from "../testing/recorded-messages.ts";
import { recordedConnections } from "../testing/recorded-vectors.ts";
import {
  decodeCertificate,
  decodeCertificateRequest,
  decodeCertificateVerify,
  decodeClientHello,
  decodeClientKeyExchange,
  decodeEmpty,
  decodeHelloVerifyRequest,
  decodeNewSessionTicket,
  decodeServerHello,
  decodeServerKeyExchange,
  encodeCertificate,
  encodeCertificateRequest,
  encodeCertificateVerify,
  encodeClientHello,
  encodeClientKeyExchange,
  encodeHelloVerifyRequest,
  encodeNewSessionTicket,
  encodeServerHello,
  encodeServerKeyExchange,
} from "./handshake-codec.ts";

export const random = seededRandom(6_347);

/** A body, and what reads and writes its kind. */
export interface Sample {
  readonly name: string;
  readonly body: Uint8Array;
  decode(body: Uint8Array): unknown;
  /** The decoded form written again. */
  rewrite(body: Uint8Array): Uint8Array;
}

function sample<T>(name: string, body: Uint8Array, decode: (body: Uint8Array) => T, encode: (message: T) => Uint8Array): Sample {
  return { name, body, decode, rewrite: (body) => encode(decode(body)) };
}

export const everyExtension: HelloExtensions = {
  serverName: "lwm2m.example",
  maxFragmentLength: 2,
  supportedGroups: [23, 29],
  ecPointFormats: [0],
  signatureAlgorithms: [0x0403],
  clientCertificateTypes: [2, 0],
  serverCertificateTypes: [2],
  encryptThenMac: true,
  extendedMasterSecret: true,
  recordSizeLimit: 64,
  sessionTicket: Uint8Array.of(1, 2, 3),
  connectionId: Uint8Array.of(7, 8),
  connectionIdDraft: new Uint8Array(0),
  renegotiationInfo: new Uint8Array(0),
};

export function aClientHello(extensions: HelloExtensions = {}): ClientHello {
  return {
    version: 0xfefd,
    random: new Uint8Array(32).fill(1),
    sessionId: Uint8Array.of(5, 6),
    cookie: Uint8Array.of(9),
    cipherSuites: [0xc0a8, 0x00ff],
    compressionMethods: [0],
    extensions,
  };
}

export function aServerHello(extensions: HelloExtensions = {}): ServerHello {
  const { version, random, sessionId } = aClientHello();
  return { version, random, sessionId, cipherSuite: 0xc0a8, compressionMethod: 0, extensions };
}

const serverExtensions: HelloExtensions = {
  ...aClientHello(everyExtension).extensions,
  serverName: "",
  clientCertificateTypes: [2],
  serverCertificateTypes: [0],
  sessionTicket: new Uint8Array(0),
};
const { signatureAlgorithms: _, ...others } = serverExtensions;
export const ofServers: HelloExtensions = others;

/** Every body of the recorded connections, each by the codec of its type, and what those do not carry. */
export function samples(): Sample[] {
  const recorded = recordedConnections.flatMap((connection) => {
    const messages = messagesOf(recordsOf(connection));
    const hello = messages.find(({ type }) => type === HandshakeType.serverHello) ?? assert.fail();
    const { keyExchange } = suiteOf(decodeServerHello(hello.body).cipherSuite) ?? assert.fail();
    return messages.map(({ type, from, body }) => sampleOf(`${connection.name}: ${type} of the ${from}`, type, body, keyExchange));
  });
  const own = [
    sampleOf("ClientHello, every extension", HandshakeType.clientHello, encodeClientHello(aClientHello(everyExtension)), "psk"),
    sampleOf("ServerHello, every extension", HandshakeType.serverHello, encodeServerHello(aServerHello(ofServers)), "psk"),
    sample(
      "Certificate, raw public key",
      bytesOf("000003 a1a2a3"),
      (body) => decodeCertificate(body, CertificateType.rawPublicKey),
      encodeCertificate,
    ),
    sampleOf("CertificateRequest with names", HandshakeType.certificateRequest, bytesOf("0140 0002 0403 0006 0001 aa 0001 bb"), "psk"),
    sampleOf("ServerKeyExchange, hint", HandshakeType.serverKeyExchange, bytesOf("0002 6869"), "psk"),
  ];
  return [...recorded, ...own];
}

function sampleOf(name: string, type: number, body: Uint8Array, keyExchange: KeyExchange): Sample {
  switch (type) {
    case HandshakeType.clientHello:
      return sample(name, body, decodeClientHello, encodeClientHello);
    case HandshakeType.serverHello:
      return sample(name, body, decodeServerHello, encodeServerHello);
    case HandshakeType.helloVerifyRequest:
      return sample(name, body, decodeHelloVerifyRequest, encodeHelloVerifyRequest);
    case HandshakeType.certificate:
      return sample(name, body, (bytes) => decodeCertificate(bytes, CertificateType.x509), encodeCertificate);
    case HandshakeType.serverKeyExchange:
      return sample(name, body, (bytes) => decodeServerKeyExchange(bytes, keyExchange), encodeServerKeyExchange);
    case HandshakeType.certificateRequest:
      return sample(name, body, decodeCertificateRequest, encodeCertificateRequest);
    case HandshakeType.clientKeyExchange:
      return sample(name, body, (bytes) => decodeClientKeyExchange(bytes, keyExchange), encodeClientKeyExchange);
    case HandshakeType.certificateVerify:
      return sample(name, body, decodeCertificateVerify, encodeCertificateVerify);
    case HandshakeType.newSessionTicket:
      return sample(name, body, decodeNewSessionTicket, encodeNewSessionTicket);
    case HandshakeType.serverHelloDone:
      return sample(
        name,
        body,
        (bytes) => decodeEmpty(bytes, name),
        () => new Uint8Array(0),
      );
    default:
      return assert.fail(`no codec for ${name}`);
  }
}
