/**
 * Bodies of handshake messages, without their 12-byte header (RFC 5246 §7.4, RFC 6347 §4.3.2, RFC 8422 §5, RFC 4279 §2, RFC 5489 §2).
 *
 * Decoders are total: any bytes give a message or a `DtlsFormatError`, and nothing may follow the last field. What they return is copied.
 */
import type { ByteReader } from "../../bytes/byte-reader.ts";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import { CertificateType } from "../constants.ts";
import type {
  CertificateMessage,
  CertificateRequest,
  CertificateVerify,
  ClientHello,
  ClientKeyExchange,
  HelloVerifyRequest,
  KeyExchange,
  NewSessionTicket,
  ServerHello,
  ServerKeyExchange,
} from "../messages.ts";
import { readExtensions, writeExtensions } from "./extensions.ts";
import { DtlsFormatError } from "./format-error.ts";
import { readerOf, readNumbers, readOpaque, readVector, requireEnd, writeNumbers, writeVector } from "./vector-codec.ts";

const randomBytes = 32;
const longestSessionId = 32;
const verifyDataBytes = 12;
const nullCompression = 0;
/** ECCurveType of RFC 8422 §5.4; the explicit forms are gone. */
const namedCurve = 3;

export function decodeClientHello(body: Uint8Array): ClientHello {
  return decoded(body, "ClientHello", (reader) => {
    const hello: ClientHello = {
      version: reader.u16(),
      random: reader.copy(randomBytes),
      sessionId: readOpaque(reader, 1, "session_id", 0, longestSessionId),
      cookie: readOpaque(reader, 1, "cookie"),
      cipherSuites: readNumbers(reader, 2, 2, "cipher_suites"),
      compressionMethods: readNumbers(reader, 1, 1, "compression_methods"),
      extensions: readExtensions(reader, "client"),
    };
    // RFC 5246 §7.4.1.2: every client offers null.
    if (!hello.compressionMethods.includes(nullCompression)) throw new DtlsFormatError("value", "compression_methods: null is missing");
    return hello;
  });
}

export function encodeClientHello(hello: ClientHello): Uint8Array {
  return encoded((writer) => {
    writer.u16(hello.version);
    writer.bytes(hello.random);
    writeVector(writer, 1, hello.sessionId);
    writeVector(writer, 1, hello.cookie);
    writeNumbers(writer, 2, 2, hello.cipherSuites);
    writeNumbers(writer, 1, 1, hello.compressionMethods);
    writeExtensions(writer, hello.extensions, "client");
  });
}

export function decodeHelloVerifyRequest(body: Uint8Array): HelloVerifyRequest {
  return decoded(body, "HelloVerifyRequest", (reader) => ({ version: reader.u16(), cookie: readOpaque(reader, 1, "cookie") }));
}

export function encodeHelloVerifyRequest(request: HelloVerifyRequest): Uint8Array {
  return encoded((writer) => {
    writer.u16(request.version);
    writeVector(writer, 1, request.cookie);
  });
}

export function decodeServerHello(body: Uint8Array): ServerHello {
  return decoded(body, "ServerHello", (reader) => ({
    version: reader.u16(),
    random: reader.copy(randomBytes),
    sessionId: readOpaque(reader, 1, "session_id", 0, longestSessionId),
    cipherSuite: reader.u16(),
    compressionMethod: reader.u8(),
    extensions: readExtensions(reader, "server"),
  }));
}

export function encodeServerHello(hello: ServerHello): Uint8Array {
  return encoded((writer) => {
    writer.u16(hello.version);
    writer.bytes(hello.random);
    writeVector(writer, 1, hello.sessionId);
    writer.u16(hello.cipherSuite);
    writer.u8(hello.compressionMethod);
    writeExtensions(writer, hello.extensions, "server");
  });
}

/** `type` is what was negotiated (RFC 7250 §3): an empty list and an absent raw key are the same three bytes. */
export function decodeCertificate(body: Uint8Array, type: CertificateType): CertificateMessage {
  return decoded(body, "Certificate", (reader) => {
    if (type === CertificateType.rawPublicKey) {
      const publicKey = readOpaque(reader, 3, "certificate");
      return { type, publicKey: publicKey.length === 0 ? undefined : publicKey };
    }
    const content = readVector(reader, 3, "certificate");
    const list = readerOf(content);
    const chain: Uint8Array[] = [];
    while (list.remaining > 0) chain.push(readOpaque(list, 3, "certificate of the chain", 1));
    return { type, chain };
  });
}

export function encodeCertificate(message: CertificateMessage): Uint8Array {
  return encoded((writer) => {
    if (message.type === CertificateType.rawPublicKey) {
      writeVector(writer, 3, message.publicKey ?? new Uint8Array(0));
      return;
    }
    const list = new ByteWriter();
    for (const certificate of message.chain) writeVector(list, 3, certificate);
    writeVector(writer, 3, list.toBytes());
  });
}

export function decodeServerKeyExchange(body: Uint8Array, keyExchange: KeyExchange): ServerKeyExchange {
  return decoded(body, "ServerKeyExchange", (reader) => {
    if (keyExchange === "psk") return { pskIdentityHint: readOpaque(reader, 2, "psk_identity_hint") };
    if (keyExchange === "ecdhe_psk") return { pskIdentityHint: readOpaque(reader, 2, "psk_identity_hint"), ...readEcParameters(reader) };
    return { ...readEcParameters(reader), ...readSignature(reader) };
  });
}

export function encodeServerKeyExchange(message: ServerKeyExchange): Uint8Array {
  return encoded((writer) => {
    if (message.pskIdentityHint !== undefined) writeVector(writer, 2, message.pskIdentityHint);
    if (message.publicKey !== undefined) writeEcParameters(writer, message);
    if (message.signature === undefined) return;
    writer.u16(message.signatureScheme ?? 0);
    writeVector(writer, 2, message.signature);
  });
}

/** What the signature of a ServerKeyExchange covers: both randoms and the parameters in their one form (RFC 8422 §5.4). */
export function signedParameters(clientRandom: Uint8Array, serverRandom: Uint8Array, parameters: ServerKeyExchange): Uint8Array {
  return encoded((writer) => {
    writer.bytes(clientRandom);
    writer.bytes(serverRandom);
    writeEcParameters(writer, parameters);
  });
}

export function decodeCertificateRequest(body: Uint8Array): CertificateRequest {
  return decoded(body, "CertificateRequest", (reader) => {
    const certificateTypes = readNumbers(reader, 1, 1, "certificate_types");
    const signatureAlgorithms = readNumbers(reader, 2, 2, "supported_signature_algorithms");
    const names = readerOf(readVector(reader, 2, "certificate_authorities"));
    const authorities: Uint8Array[] = [];
    while (names.remaining > 0) authorities.push(readOpaque(names, 2, "distinguished name", 1));
    return { certificateTypes, signatureAlgorithms, authorities };
  });
}

export function encodeCertificateRequest(request: CertificateRequest): Uint8Array {
  return encoded((writer) => {
    writeNumbers(writer, 1, 1, request.certificateTypes);
    writeNumbers(writer, 2, 2, request.signatureAlgorithms);
    const names = new ByteWriter();
    for (const authority of request.authorities) writeVector(names, 2, authority);
    writeVector(writer, 2, names.toBytes());
  });
}

export function decodeClientKeyExchange(body: Uint8Array, keyExchange: KeyExchange): ClientKeyExchange {
  return decoded(body, "ClientKeyExchange", (reader) => {
    if (keyExchange === "psk") return { pskIdentity: readOpaque(reader, 2, "psk_identity") };
    if (keyExchange === "ecdhe_psk")
      return { pskIdentity: readOpaque(reader, 2, "psk_identity"), publicKey: readOpaque(reader, 1, "public", 1) };
    return { publicKey: readOpaque(reader, 1, "public", 1) };
  });
}

export function encodeClientKeyExchange(message: ClientKeyExchange): Uint8Array {
  return encoded((writer) => {
    if (message.pskIdentity !== undefined) writeVector(writer, 2, message.pskIdentity);
    if (message.publicKey !== undefined) writeVector(writer, 1, message.publicKey);
  });
}

export function decodeCertificateVerify(body: Uint8Array): CertificateVerify {
  return decoded(body, "CertificateVerify", readSignature);
}

export function encodeCertificateVerify(message: CertificateVerify): Uint8Array {
  return encoded((writer) => {
    writer.u16(message.signatureScheme);
    writeVector(writer, 2, message.signature);
  });
}

export function decodeNewSessionTicket(body: Uint8Array): NewSessionTicket {
  return decoded(body, "NewSessionTicket", (reader) => ({ lifetimeHintSeconds: reader.u32(), ticket: readOpaque(reader, 2, "ticket") }));
}

export function encodeNewSessionTicket(message: NewSessionTicket): Uint8Array {
  return encoded((writer) => {
    writer.u32(message.lifetimeHintSeconds);
    writeVector(writer, 2, message.ticket);
  });
}

/** The verify_data, which is the whole body (RFC 5246 §7.4.9). */
export function decodeFinished(body: Uint8Array): Uint8Array {
  return decoded(body, "Finished", (reader) => reader.copy(verifyDataBytes));
}

/** ServerHelloDone and HelloRequest say all by being there. */
export function decodeEmpty(body: Uint8Array, name: string): void {
  requireEnd(readerOf(body), name);
}

function readEcParameters(reader: ByteReader): { group: number; publicKey: Uint8Array } {
  const curveType = reader.u8();
  if (curveType !== namedCurve) throw new DtlsFormatError("value", `curve_type ${curveType}, expected a named curve`);
  return { group: reader.u16(), publicKey: readOpaque(reader, 1, "public", 1) };
}

function writeEcParameters(writer: ByteWriter, { group, publicKey }: ServerKeyExchange): void {
  if (group === undefined || publicKey === undefined) throw new Error("EC parameters without group or public key");
  writer.u8(namedCurve);
  writer.u16(group);
  writeVector(writer, 1, publicKey);
}

function readSignature(reader: ByteReader): CertificateVerify {
  return { signatureScheme: reader.u16(), signature: readOpaque(reader, 2, "signature") };
}

function decoded<T>(body: Uint8Array, name: string, read: (reader: ByteReader) => T): T {
  const reader = readerOf(body);
  const message = read(reader);
  requireEnd(reader, name);
  return message;
}

function encoded(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.toBytes();
}
