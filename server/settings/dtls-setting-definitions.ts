/** The settings of the secured doors, rows of the table in `setting-definitions.ts`. */
import { defaultDtlsLimits } from "@lwm2m/protocol/dtls/endpoint/limits";
import { defaultHandshakeSettings } from "@lwm2m/protocol/dtls/handshake-contract";
import type { SettingDefinition } from "./setting-definitions.ts";

const port = { kind: "integer", unit: "port", min: 0, max: 65_535 } as const;
const msPerDay = 86_400_000;

export const dtlsSettingDefinitions = {
  coapsPort: {
    env: "COAPS_PORT",
    ...port,
    default: 5684,
    purpose: "port of the LwM2M server, CoAP over DTLS; 0 takes a free one, the default when COAP_PORT is 0",
    reason: "RFC 7252 §6.2",
  },
  bootstrapCoapsPort: {
    env: "BOOTSTRAP_COAPS_PORT",
    ...port,
    default: 5784,
    purpose: "port of the bootstrap server, CoAP over DTLS; 0 takes a free one, the default when BOOTSTRAP_COAP_PORT is 0",
    reason: "beside its plain door, as 5684 is beside 5683",
  },
  dtlsHandshakeProfile: {
    env: "DTLS_HANDSHAKE_PROFILE",
    kind: "choice",
    default: "default",
    choices: ["default", "constrained"],
    purpose: "timers of handshakes: default repeats after 1 s and gives up after 3 min, constrained after 9 s and 10 min",
    reason: "RFC 6347 §4.2.4.1; RFC 7925 §11 for links of seconds, where each early repetition costs battery",
  },
  dtlsHandshakeRate: {
    env: "DTLS_HANDSHAKE_RATE",
    kind: "integer",
    default: defaultDtlsLimits.handshakesPerSecond,
    unit: "handshakes/s",
    min: 1,
    max: 1_000_000,
    purpose: "handshakes begun per secured door, on average; twice as many at once after a pause",
    reason: "a fleet that comes back all at once must not slow the devices that are connected; who is refused tries again by itself",
  },
  dtlsConnections: {
    env: "DTLS_CONNECTIONS",
    kind: "integer",
    default: defaultDtlsLimits.connections,
    unit: "connections",
    min: 100,
    max: 4_000_000,
    purpose: "devices connected per secured door",
    reason: "0.4 kB each; when it is full, those silent for longest make room: 30 min without connection id, 3 days with one",
  },
  dtlsCidBytes: {
    env: "DTLS_CID_BYTES",
    kind: "integer",
    default: defaultHandshakeSettings.connectionIdBytes ?? 0,
    unit: "bytes",
    min: 0,
    max: 16,
    purpose: "length of the connection ids given to devices (RFC 9146); 0 gives none",
    reason: "with one a device stays connected behind a NAT that forgets it; 8 bytes cannot be guessed. A change ends the connections kept",
  },
  dtlsCidOwner: {
    env: "DTLS_CID_OWNER",
    kind: "integer",
    default: 0,
    unit: "first byte",
    min: 0,
    max: 255,
    purpose: "first byte of every connection id given to devices",
    reason: "several servers behind one address: what spreads the datagrams can send a record to the server that has its connection",
  },
  dtlsMaxAgeDays: {
    env: "DTLS_MAX_AGE_DAYS",
    kind: "integer",
    default: defaultDtlsLimits.mostAgeMs / msPerDay,
    unit: "days",
    min: 1,
    max: 3_650,
    purpose: "age at which a connection has to be made anew",
    reason: "bounds what one stolen key opens; each handshake costs a sleeping device seconds of radio",
  },
  dtlsCbc: {
    env: "DTLS_CBC",
    kind: "choice",
    default: "off",
    choices: ["off", "on"],
    purpose: "offer the CBC suites C023 and 00AE, last in the order",
    reason: "LwM2M Transport 1.1 §5.2.8 names them, but without encrypt-then-mac (RFC 7366) their timing tells about the plaintext",
  },
  dtlsExtendedMasterSecret: {
    env: "DTLS_EXTENDED_MASTER_SECRET",
    kind: "choice",
    default: "required",
    choices: ["required", "optional"],
    purpose: "whether devices without the extended master secret (RFC 7627) are refused",
    reason: "without it a session can be spliced with another; optional lets in stacks from before 2015",
  },
  dtlsCrypto: {
    env: "DTLS_CRYPTO",
    kind: "choice",
    default: "auto",
    choices: ["auto", "node", "ffi"],
    purpose:
      "how records and handshakes reach OpenSSL: by node:crypto, or by calls into it (ffi), which does not start without koffi; auto calls where that is proved",
    reason: "calls take half the CPU per exchange of records and three quarters per PSK handshake; proved on Linux x64 with glibc",
  },
  dtlsKeyLogFile: {
    env: "DTLS_KEY_LOG_FILE",
    kind: "text",
    purpose: "file that the keys of every connection are appended to, for Wireshark",
    reason: "for a laboratory only: whoever reads the file reads every connection; off unless named",
  },
} as const satisfies { readonly [name: string]: SettingDefinition };
