/** What two DTLS stacks are asked to agree on: every feature of the matrix, and how a connection for it is to be made. */

/** What one connection is made with; "peer" is the side nobody here wrote. */
export interface Wish {
  readonly credential: "psk" | "certificates" | "server-certificate" | "raw-keys";
  /** The one suite the client offers. */
  readonly suite: number;
  /** Length of the connection id each side wants in what it receives (RFC 9146 §3); undefined does not offer or answer the extension. */
  readonly ourId: number | undefined;
  readonly peerId: number | undefined;
  /** Whether the peer does extended master secret, and whether we insist. */
  readonly peerHasEms: boolean;
  readonly weRequireEms: boolean;
  /** Whose secret, or certificate, is wrong and how. */
  readonly fault: Fault | undefined;
  /** Most plaintext bytes a record: max_fragment_length or record_size_limit, whichever the client can ask for. */
  readonly recordSize: 512 | undefined;
  readonly serverName: string | undefined;
  /** Largest datagram the peer sends, bytes; undefined leaves it to the peer. */
  readonly peerMtu?: number;
  /** Connections made one after the other, the later ones resumed. */
  readonly connections: number;
  /** What the client says; the server answers each. */
  readonly lines: readonly string[];
  /** We send a record without content before each answer or line. */
  readonly weSendEmpty: boolean;
}

export type Fault =
  | "wrong-key"
  | "unknown-identity"
  | "we-refuse-unknown"
  | "peer-refuses-unknown"
  | "we-refuse-expired"
  | "peer-refuses-expired";

const plain: Wish = {
  credential: "psk",
  suite: 0xc0a8,
  ourId: undefined,
  peerId: undefined,
  peerHasEms: true,
  weRequireEms: true,
  fault: undefined,
  recordSize: undefined,
  serverName: undefined,
  connections: 1,
  lines: ["hello-1", "hello-2"],
  weSendEmpty: false,
};

/** Letters without a short period, so that a part that is missing shows. */
const longLine = Array.from({ length: 1_000 }, (_, i) => String.fromCharCode(97 + ((i * i + (i >> 5)) % 26))).join("");
const withCertificates = { ...plain, credential: "certificates", suite: 0xc0ae } as const;

export const features = {
  "psk-ccm-8": plain,
  "psk-ccm": { ...plain, suite: 0xc0a4 },
  "psk-gcm": { ...plain, suite: 0x00a8 },
  /** Off unless asked for (RFC 7925 §4.2 has no CBC). */
  "psk-cbc": { ...plain, suite: 0x00ae },
  "ecdhe-psk": { ...plain, suite: 0xd003 },
  "ecdhe-psk-cbc": { ...plain, suite: 0xc037 },
  certificates: withCertificates,
  "certificates-gcm": { ...withCertificates, suite: 0xc02b },
  "server-certificate": { ...withCertificates, credential: "server-certificate" },
  "raw-keys": { ...withCertificates, credential: "raw-keys" },
  "cid-both": { ...plain, ourId: 8, peerId: 6 },
  /** RFC 9146 §3: an id of no length says "send me none". */
  "cid-ours": { ...plain, ourId: 8, peerId: 0 },
  "cid-theirs": { ...plain, ourId: 0, peerId: 6 },
  resumption: { ...plain, connections: 2 },
  "record-size": { ...plain, recordSize: 512 },
  "no-ems": { ...plain, peerHasEms: false, weRequireEms: false },
  "ems-required": { ...plain, peerHasEms: false },
  "server-name": { ...withCertificates, serverName: "device.example" },
  "wrong-key": { ...plain, fault: "wrong-key" },
  "unknown-identity": { ...plain, fault: "unknown-identity" },
  "we-refuse-unknown": { ...withCertificates, fault: "we-refuse-unknown" },
  "peer-refuses-unknown": { ...withCertificates, fault: "peer-refuses-unknown" },
  "we-refuse-expired": { ...withCertificates, fault: "we-refuse-expired" },
  "peer-refuses-expired": { ...withCertificates, fault: "peer-refuses-expired" },
  "close-notify": plain,
  "large-record": { ...plain, lines: [longLine] },
  "empty-record": { ...plain, weSendEmpty: true },
} as const satisfies { readonly [name: string]: Wish };

export type FeatureName = keyof typeof features;
/** Checked edge: the keys of the table are its type. */
export const featureNames = Object.keys(features) as readonly FeatureName[];

/** Whether the connection is not to come about. */
export function mustFail(wish: Wish): boolean {
  return wish.fault !== undefined || (!wish.peerHasEms && wish.weRequireEms);
}

/** What we refuse ourselves is over when we say so; a wrong key has no other end than silence, and a peer that refuses us need not say so. */
export function mayEndBySilence({ fault }: Wish): boolean {
  return fault !== undefined && !fault.startsWith("we-refuse");
}
