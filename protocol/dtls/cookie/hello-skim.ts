/** As much of a ClientHello as the cookie needs (RFC 6347 §4.2.1), read without copies: this runs for every spoofed datagram of a flood. */
import { HandshakeType } from "../constants.ts";
import { DtlsFormatError } from "../wire/format-error.ts";
import { readHandshakeFragments } from "../wire/handshake-header.ts";
import { readerOf, readVector, skipVector } from "../wire/vector-codec.ts";

/** Views of the record. */
export interface HelloSkim {
  readonly messageSequence: number;
  readonly cookie: Uint8Array;
  /** client_version, random, session_id with its length. */
  readonly versionRandomAndSession: Uint8Array;
  /** cipher_suites and compression_methods with their lengths. */
  readonly suitesAndCompression: Uint8Array;
}

const versionBytes = 2;
const randomBytes = 32;
const longestSessionId = 32;
/** 255 suites of two bytes and the largest extensions spoken here stay far below. */
const largestHelloBytes = 4_096;
/** message_seq of a hello: 0 or 1, a few more when cookies grew old. The numbers of the answer follow it and end at 65,535. */
const largestMessageSequence = 255;

/** Undefined for whatever is not one whole ClientHello. */
export function skimHello(record: Uint8Array): HelloSkim | undefined {
  try {
    return read(record);
  } catch (error) {
    if (error instanceof DtlsFormatError) return undefined;
    throw error;
  }
}

function read(record: Uint8Array): HelloSkim | undefined {
  if (record[0] !== HandshakeType.clientHello) return undefined;
  const fragments = readHandshakeFragments(record);
  const fragment = fragments[0];
  if (fragment === undefined || fragments.length > 1) return undefined;
  const { length, bytes: body, sequence } = fragment;
  // A hello in fragments would have to be kept, and there is nobody yet to keep it for.
  if (body.length !== length || length > largestHelloBytes || sequence > largestMessageSequence) return undefined;
  const reader = readerOf(body);
  reader.skip(versionBytes);
  reader.skip(randomBytes);
  skipVector(reader, 1, "session_id", 0, longestSessionId);
  const sessionEnd = reader.position;
  const cookie = readVector(reader, 1, "cookie");
  const suitesAt = reader.position;
  skipVector(reader, 2, "cipher_suites", 2);
  skipVector(reader, 1, "compression_methods", 1);
  return {
    messageSequence: sequence,
    cookie,
    versionRandomAndSession: body.subarray(0, sessionEnd),
    suitesAndCompression: body.subarray(suitesAt, reader.position),
  };
}
