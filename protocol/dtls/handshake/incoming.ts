/** Records of a handshake taken apart. What cannot be is dropped like any other invalid record (RFC 6347 §4.1.2.7). */
import { AlertDescription, AlertLevel } from "../constants.ts";
import { decodeAlert } from "../wire/alert.ts";
import { DtlsFormatError } from "../wire/format-error.ts";
import { type HandshakeFragment, readHandshakeFragments } from "../wire/handshake-header.ts";

/** RFC 5246 §7.1: one byte of value 1. */
const changeCipherSpecByte = 1;

export function isChangeCipherSpec(fragment: Uint8Array): boolean {
  return fragment.length === 1 && fragment[0] === changeCipherSpecByte;
}

/** The description of an alert that ends things; undefined for a mere warning and for what is no alert, which nobody answers. */
export function findEndingAlert(fragment: Uint8Array): number | undefined {
  const alert = unlessMalformed(() => decodeAlert(fragment));
  if (alert === undefined) return undefined;
  const ends = alert.level === AlertLevel.fatal || alert.description === AlertDescription.closeNotify;
  return ends ? alert.description : undefined;
}

export function findFragments(record: Uint8Array): readonly HandshakeFragment[] {
  return unlessMalformed(() => readHandshakeFragments(record)) ?? [];
}

function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DtlsFormatError) return undefined;
    throw error;
  }
}
