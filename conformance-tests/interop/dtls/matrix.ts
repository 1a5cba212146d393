/** Which feature runs with which peer in which role, and why not where not. Those that bring CoAP along are in `coap.test.ts`. */
import { type FeatureName, featureNames } from "./wish.ts";

export const peerNames = ["openssl", "gnutls", "mbedtls", "pion", "scandium", "node-dtls-client"] as const;
export type MatrixPeer = (typeof peerNames)[number];
/** Ours. */
export const roles = ["server", "client"] as const;
export type Role = (typeof roles)[number];

type Reasons = { readonly [feature in FeatureName]?: string };

const noCid = "it has no connection ids (RFC 9146)";
const cid = (reason: string): Reasons => ({ "cid-both": reason, "cid-ours": reason, "cid-theirs": reason });
const noEcdhePskAead = "of ECDHE_PSK it has CBC and ChaCha20 only (RFC 8442 is newer than its list)";
const noRawKeys = "it has no raw public keys (RFC 7250)";
const certificateFeatures = [
  "certificates",
  "certificates-gcm",
  "server-certificate",
  "server-name",
  "we-refuse-unknown",
  "peer-refuses-unknown",
  "we-refuse-expired",
  "peer-refuses-expired",
] as const;
const noCertificates = (reason: string): Reasons =>
  Object.fromEntries([...certificateFeatures, "raw-keys"].map((feature) => [feature, reason]));
const every = (reason: string): Reasons => Object.fromEntries(featureNames.map((feature) => [feature, reason]));

const openssl: Reasons = {
  "ecdhe-psk": noEcdhePskAead,
  "raw-keys": "raw public keys came with OpenSSL 3.2",
  ...cid(noCid),
};
const pion: Reasons = {
  "ecdhe-psk": noEcdhePskAead,
  "raw-keys": noRawKeys,
  "record-size": "pion negotiates neither max_fragment_length nor record_size_limit",
};

/** What is not here runs. */
const impossible: { readonly [peer in MatrixPeer]: { readonly [role in Role]: Reasons } } = {
  openssl: {
    server: { ...openssl, "empty-record": "s_client takes a record without content for the end of the connection" },
    client: {
      ...openssl,
      "unknown-identity": "s_server warns of another identity and goes on with its one key",
      "empty-record": "s_server takes a record without content for the end of the connection",
      "ems-required": "a server of OpenSSL 3.0 answers the extension whatever its options are",
      "no-ems": "a server of OpenSSL 3.0 answers the extension whatever its options are",
    },
  },
  gnutls: {
    server: {
      "ecdhe-psk": noEcdhePskAead,
      "ecdhe-psk-cbc": "gnutls-cli 3.7.9 ends in a segmentation fault of its own after an ECDHE_PSK handshake",
      ...cid(noCid),
    },
    client: {
      "ecdhe-psk": noEcdhePskAead,
      ...cid(noCid),
      "close-notify": "gnutls-serv does not tell when a client closed",
    },
  },
  mbedtls: {
    server: { "ecdhe-psk": noEcdhePskAead, "raw-keys": noRawKeys },
    client: { "ecdhe-psk": noEcdhePskAead, "raw-keys": noRawKeys },
  },
  pion: {
    server: {
      ...pion,
      "server-name": "pion cannot read the empty server_name of a ServerHello (RFC 6066 §3) and waits for another one",
      "empty-record": "our peer program takes a record without content for the answer",
    },
    client: pion,
  },
  scandium: {
    server: {},
    client: {},
  },
  "node-dtls-client": {
    server: {
      "psk-ccm": "it has CCM with the short tag only",
      "ecdhe-psk": "it has no ECDHE",
      "ecdhe-psk-cbc": "it has no ECDHE",
      ...cid(noCid),
      ...noCertificates("it has pre-shared keys only"),
      resumption: "it keeps no sessions",
      "record-size": "it cannot ask for a limit",
    },
    client: every("node-dtls-client is a client only"),
  },
};

/** Undefined: it runs. */
export function reasonAgainst(peer: MatrixPeer, role: Role, feature: FeatureName): string | undefined {
  return impossible[peer][role][feature];
}
