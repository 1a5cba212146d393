/** What a handshake proved, as bytes: kept per connection without an object, and as it stands in the journal. */
import { ByteReader } from "../../bytes/byte-reader.ts";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";

/** Of `Association`: all but its key and freshness. */
export interface AssociationFacts {
  readonly identity: SecureIdentity | undefined;
  readonly serverName: string | undefined;
}

const Kind = { anonymous: 0, psk: 1, rpk: 2, x509: 3 } as const;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Equal bytes exactly for equal facts. */
export function encodeFacts({ identity, serverName }: AssociationFacts): Uint8Array {
  const writer = new ByteWriter();
  writeOptional(writer, serverName === undefined ? undefined : utf8.encode(serverName));
  switch (identity?.kind) {
    case undefined:
      writer.u8(Kind.anonymous);
      break;
    case "psk":
      writer.u8(Kind.psk);
      writeLong(writer, identity.identity);
      break;
    case "rpk":
      writer.u8(Kind.rpk);
      writeLong(writer, identity.publicKey);
      break;
    case "x509":
      writer.u8(Kind.x509);
      writeLong(writer, identity.certificate);
      writeOptional(writer, identity.commonName === undefined ? undefined : utf8.encode(identity.commonName));
      writeTexts(writer, identity.dnsNames);
      writeTexts(writer, identity.uris);
      writeOptional(writer, identity.anchorSha256);
      break;
  }
  return writer.toBytes();
}

/** Throws `Error`: these bytes are our own. */
export function decodeFacts(bytes: Uint8Array): AssociationFacts {
  const reader = new ByteReader(bytes);
  const name = readOptional(reader);
  const serverName = name === undefined ? undefined : text.decode(name);
  return { serverName, identity: readIdentity(reader) };
}

function readIdentity(reader: ByteReader): SecureIdentity | undefined {
  const kind = reader.u8();
  switch (kind) {
    case Kind.anonymous:
      return undefined;
    case Kind.psk:
      return { kind: "psk", identity: readLong(reader) };
    case Kind.rpk:
      return { kind: "rpk", publicKey: readLong(reader) };
    case Kind.x509: {
      const certificate = readLong(reader);
      const commonName = readOptional(reader);
      return {
        kind: "x509",
        certificate,
        commonName: commonName === undefined ? undefined : text.decode(commonName),
        dnsNames: readTexts(reader),
        uris: readTexts(reader),
        anchorSha256: readOptional(reader),
      };
    }
    default:
      throw new Error(`${kind} is no kind of identity`);
  }
}

function writeLong(writer: ByteWriter, value: Uint8Array): void {
  writer.u16(value.length);
  writer.bytes(value);
}

function readLong(reader: ByteReader): Uint8Array {
  return reader.copy(reader.u16());
}

function writeOptional(writer: ByteWriter, value: Uint8Array | undefined): void {
  writer.u8(value === undefined ? 0 : 1);
  if (value !== undefined) writeLong(writer, value);
}

function readOptional(reader: ByteReader): Uint8Array | undefined {
  return reader.u8() === 0 ? undefined : readLong(reader);
}

function writeTexts(writer: ByteWriter, values: readonly string[]): void {
  writer.u16(values.length);
  for (const value of values) writeLong(writer, utf8.encode(value));
}

function readTexts(reader: ByteReader): string[] {
  return Array.from({ length: reader.u16() }, () => text.decode(readLong(reader)));
}
