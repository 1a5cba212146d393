/** The extensions of both hellos (RFC 5246 §7.4.1.4), strict about form; whether they were asked for is the handshake's question. */
import type { ByteReader } from "../../bytes/byte-reader.ts";
import type { ByteWriter } from "../../bytes/byte-writer.ts";
import { ExtensionType } from "../constants.ts";
import type { HelloExtensions } from "../messages.ts";
import { DtlsFormatError } from "./format-error.ts";
import {
  beginVector,
  endVector,
  readerOf,
  readNumbers,
  readOpaque,
  readVector,
  requireEnd,
  writeNumbers,
  writeVector,
} from "./vector-codec.ts";

export type Hello = "client" | "server";

type Draft = { -readonly [Name in keyof HelloExtensions]: HelloExtensions[Name] };

interface Codec {
  readonly type: number;
  readonly name: keyof HelloExtensions;
  read(reader: ByteReader, draft: Draft, hello: Hello): void;
  /** Nothing when the extension is absent. */
  write(writer: ByteWriter, extensions: HelloExtensions, hello: Hello): void;
}

const hostNameType = 0;
/** Longest DNS name, and longest SNI name taken (RFC 1035 §2.3.4). */
const longestHostName = 255;
const fragmentLengthCodes = { least: 1, most: 4 } as const;
/** RFC 8449 §4. */
const leastRecordSizeLimit = 64;
const uncompressedPoint = 0;
const empty = new Uint8Array(0);

/** In the order they are written. */
const codecs: readonly Codec[] = [
  { type: ExtensionType.serverName, name: "serverName", read: readServerName, write: writeServerName },
  {
    type: ExtensionType.maxFragmentLength,
    name: "maxFragmentLength",
    read(reader, draft) {
      const code = reader.u8();
      if (code < fragmentLengthCodes.least || code > fragmentLengthCodes.most) throw badValue("max_fragment_length", code);
      draft.maxFragmentLength = code;
    },
    write: (writer, { maxFragmentLength = 0 }) => writer.u8(maxFragmentLength),
  },
  {
    type: ExtensionType.recordSizeLimit,
    name: "recordSizeLimit",
    read(reader, draft) {
      const limit = reader.u16();
      if (limit < leastRecordSizeLimit) throw badValue("record_size_limit", limit);
      draft.recordSizeLimit = limit;
    },
    write: (writer, { recordSizeLimit = 0 }) => writer.u16(recordSizeLimit),
  },
  {
    type: ExtensionType.supportedGroups,
    name: "supportedGroups",
    read(reader, draft) {
      draft.supportedGroups = readNumbers(reader, 2, 2, "supported_groups");
    },
    write: (writer, { supportedGroups = [] }) => writeNumbers(writer, 2, 2, supportedGroups),
  },
  {
    type: ExtensionType.ecPointFormats,
    name: "ecPointFormats",
    read(reader, draft) {
      const formats = readNumbers(reader, 1, 1, "ec_point_formats");
      // RFC 8422 §5.1.2: uncompressed is the one format everybody has, so a list without it is an error.
      if (!formats.includes(uncompressedPoint)) throw new DtlsFormatError("value", "ec_point_formats: uncompressed is missing");
      draft.ecPointFormats = formats;
    },
    write: (writer, { ecPointFormats = [] }) => writeNumbers(writer, 1, 1, ecPointFormats),
  },
  {
    type: ExtensionType.signatureAlgorithms,
    name: "signatureAlgorithms",
    read(reader, draft, hello) {
      if (hello === "server") throw new DtlsFormatError("value", "signature_algorithms in a ServerHello (RFC 5246 §7.4.1.4.1)");
      draft.signatureAlgorithms = readNumbers(reader, 2, 2, "signature_algorithms");
    },
    write: (writer, { signatureAlgorithms = [] }) => writeNumbers(writer, 2, 2, signatureAlgorithms),
  },
  certificateTypes(ExtensionType.clientCertificateType, "clientCertificateTypes"),
  certificateTypes(ExtensionType.serverCertificateType, "serverCertificateTypes"),
  flag(ExtensionType.encryptThenMac, "encryptThenMac"),
  flag(ExtensionType.extendedMasterSecret, "extendedMasterSecret"),
  {
    type: ExtensionType.sessionTicket,
    name: "sessionTicket",
    read(reader, draft, hello) {
      // RFC 5077 §3.2: the server's says that a ticket will follow, and is empty.
      draft.sessionTicket = hello === "server" ? empty : reader.copy(reader.remaining);
    },
    write: (writer, { sessionTicket = empty }) => writer.bytes(sessionTicket),
  },
  identifier(ExtensionType.connectionIdDraft, "connectionIdDraft"),
  identifier(ExtensionType.connectionId, "connectionId"),
  identifier(ExtensionType.renegotiationInfo, "renegotiationInfo"),
];

const codecOf: ReadonlyMap<number, Codec> = new Map(codecs.map((codec) => [codec.type, codec]));

/** Reads to the end of the hello; a hello that ends before them has none (RFC 5246 §7.4.1.2). */
export function readExtensions(reader: ByteReader, hello: Hello): HelloExtensions {
  if (reader.remaining === 0) return {};
  const list = readerOf(readVector(reader, 2, "extensions"));
  const draft: Draft = {};
  const seen = new Set<number>();
  const unknown: number[] = [];
  while (list.remaining > 0) {
    const type = list.u16();
    const codec = codecOf.get(type);
    const body = readerOf(readVector(list, 2, codec?.name ?? "extension"));
    if (seen.has(type)) throw new DtlsFormatError("duplicate-extension", `extension ${type} twice`);
    seen.add(type);
    if (codec === undefined) {
      unknown.push(type);
      continue;
    }
    codec.read(body, draft, hello);
    requireEnd(body, codec.name);
  }
  if (unknown.length > 0) draft.unknown = unknown;
  return draft;
}

/** Writes nothing, not even a length, when there are none: servers of before RFC 4366 end there too. */
export function writeExtensions(writer: ByteWriter, extensions: HelloExtensions, hello: Hello): void {
  let listAt = -1;
  for (const codec of codecs) {
    if (extensions[codec.name] === undefined) continue;
    if (listAt < 0) listAt = beginVector(writer);
    writer.u16(codec.type);
    const bodyAt = beginVector(writer);
    codec.write(writer, extensions, hello);
    endVector(writer, bodyAt);
  }
  if (listAt >= 0) endVector(writer, listAt);
}

/** RFC 6066 §3: a list with at most one name of each type in the ClientHello, nothing in the ServerHello. */
function readServerName(reader: ByteReader, draft: Draft, hello: Hello): void {
  if (hello === "server") {
    draft.serverName = "";
    return;
  }
  const names = readerOf(readVector(reader, 2, "server_name", 1));
  const seen = new Set<number>();
  while (names.remaining > 0) {
    const type = names.u8();
    const name = readVector(names, 2, "server_name", 1, longestHostName);
    if (seen.has(type)) throw badValue("server_name, a second name of type", type);
    seen.add(type);
    if (type === hostNameType) draft.serverName = hostName(name);
  }
}

/** An SNI name is ASCII without a NUL or blank that could end or split it in a log or look-up. */
function hostName(bytes: Uint8Array): string {
  for (const byte of bytes) if (byte <= 0x20 || byte >= 0x7f) throw badValue("server_name, byte", byte);
  return String.fromCharCode(...bytes);
}

function writeServerName(writer: ByteWriter, { serverName = "" }: HelloExtensions, hello: Hello): void {
  if (hello === "server") return;
  const name = Uint8Array.from(serverName, (character) => character.charCodeAt(0));
  writer.u16(name.length + 3);
  writer.u8(hostNameType);
  writeVector(writer, 2, name);
}

/** RFC 7250 §3: the client lists, the server picks. */
function certificateTypes(type: number, name: "clientCertificateTypes" | "serverCertificateTypes"): Codec {
  return {
    type,
    name,
    read(reader, draft, hello) {
      draft[name] = hello === "client" ? readNumbers(reader, 1, 1, name) : [reader.u8()];
    },
    write(writer, extensions, hello) {
      const types = extensions[name] ?? [];
      if (hello === "client") writeNumbers(writer, 1, 1, types);
      else writer.u8(types[0] ?? 0);
    },
  };
}

function flag(type: number, name: "encryptThenMac" | "extendedMasterSecret"): Codec {
  return {
    type,
    name,
    read(_reader, draft) {
      draft[name] = true;
    },
    write: () => undefined,
  };
}

/** Opaque bytes behind one byte of length (RFC 9146 §3, RFC 5746 §3.2). */
function identifier(type: number, name: "connectionId" | "connectionIdDraft" | "renegotiationInfo"): Codec {
  return {
    type,
    name,
    read(reader, draft) {
      draft[name] = readOpaque(reader, 1, name);
    },
    write: (writer, extensions) => writeVector(writer, 1, extensions[name] ?? empty),
  };
}

function badValue(field: string, value: number): DtlsFormatError {
  return new DtlsFormatError("value", `${field} ${value}`);
}
