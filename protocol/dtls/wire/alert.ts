/** Alerts (RFC 5246 §7.2): two bytes, whole. */
import { AlertDescription, AlertLevel } from "../constants.ts";
import { DtlsFormatError } from "./format-error.ts";
import { readerOf, requireEnd } from "./vector-codec.ts";

export interface Alert {
  readonly level: (typeof AlertLevel)[keyof typeof AlertLevel];
  /** Any number of the registry, known here or not. */
  readonly description: number;
}

export function decodeAlert(fragment: Uint8Array): Alert {
  const reader = readerOf(fragment);
  const level = reader.u8();
  const description = reader.u8();
  requireEnd(reader, "alert");
  if (level !== AlertLevel.warning && level !== AlertLevel.fatal) throw new DtlsFormatError("value", `alert level ${level}`);
  return { level, description };
}

/** close_notify, user_canceled and no_renegotiation warn, everything else is fatal (RFC 5246 §7.2.1, §7.2.2). */
export function encodeAlert(description: AlertDescription): Uint8Array {
  return Uint8Array.of(warnings.has(description) ? AlertLevel.warning : AlertLevel.fatal, description);
}

const warnings: ReadonlySet<AlertDescription> = new Set([
  AlertDescription.closeNotify,
  AlertDescription.userCanceled,
  AlertDescription.noRenegotiation,
]);
