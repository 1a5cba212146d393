/** What the settings mean for a secured door. */
import type { DtlsLimits } from "@lwm2m/protocol/dtls/endpoint/limits";
import { defaultHandshakeSettings, type HandshakeSettings } from "@lwm2m/protocol/dtls/handshake-contract";
import type { Settings } from "./config.ts";

type DtlsSettings = Pick<
  Settings,
  | "dtlsHandshakeProfile"
  | "dtlsHandshakeRate"
  | "dtlsConnections"
  | "dtlsCidBytes"
  | "dtlsCidOwner"
  | "dtlsMaxAgeDays"
  | "dtlsCbc"
  | "dtlsExtendedMasterSecret"
>;

/** RFC 7925 §11: an initial timeout of nine seconds where round trips take seconds; the whole handshake has its time accordingly. */
const constrained = { initialTimeoutMs: 9_000, deadlineMs: 600_000 } as const;
/** ECDHE_ECDSA before PSK; both as LwM2M Transport 1.1 §5.2.8 names them for servers. */
const cbcSuites = [0xc023, 0x00ae] as const;
const msPerDay = 86_400_000;
/** After a pause so many seconds' worth of handshakes may begin at once. */
const burstSeconds = 2;

export function handshakeSettings(settings: DtlsSettings): Partial<HandshakeSettings> {
  return {
    ...(settings.dtlsHandshakeProfile === "constrained" ? constrained : {}),
    cipherSuites: [...defaultHandshakeSettings.cipherSuites, ...(settings.dtlsCbc === "on" ? cbcSuites : [])],
    requireExtendedMasterSecret: settings.dtlsExtendedMasterSecret === "required",
    connectionIdBytes: settings.dtlsCidBytes,
  };
}

/** What every connection id given to a device begins with: it tells whose the connection is. */
export function connectionIdOwner({ dtlsCidOwner }: Pick<DtlsSettings, "dtlsCidOwner">): Uint8Array {
  return Uint8Array.of(dtlsCidOwner);
}

/** How long a handshake may take. */
export function handshakeMs(settings: DtlsSettings): number {
  return { ...defaultHandshakeSettings, ...handshakeSettings(settings) }.deadlineMs;
}

export function dtlsLimits({ dtlsConnections, dtlsHandshakeRate, dtlsMaxAgeDays }: DtlsSettings): Partial<DtlsLimits> {
  return {
    connections: dtlsConnections,
    handshakesPerSecond: dtlsHandshakeRate,
    handshakeBurst: burstSeconds * dtlsHandshakeRate,
    mostAgeMs: dtlsMaxAgeDays * msPerDay,
  };
}
