/** What the handshake asks of whoever keeps keys: the security store of the server, the configuration of a client. */
import type { KeyObject } from "node:crypto";
import type { SecureIdentity } from "../ports/datagram-socket.ts";
import type { AlertDescription } from "./constants.ts";

/** The own proof of a side: what is sent in Certificate, and the key that signs. */
export interface OwnKey {
  readonly privateKey: KeyObject;
  /** DER certificates, leaf first, without the root; absent when only the raw key is offered. */
  readonly chain?: readonly Uint8Array[];
  /** SubjectPublicKeyInfo, DER: offered as a raw public key; derived from the leaf otherwise. */
  readonly publicKey: Uint8Array;
}

/** How a certificate or raw key was judged. */
export type Verdict =
  | {
      readonly ok: true;
      readonly identity: SecureIdentity;
      /** The key of what was presented, when the verifier has it at hand: importing it again costs more than checking a signature. */
      readonly publicKey?: KeyObject;
    }
  | { readonly ok: false; readonly alert: AlertDescription; readonly reason: string };

export type Presented =
  | { readonly kind: "rpk"; readonly publicKey: Uint8Array }
  | { readonly kind: "x509"; readonly chain: readonly Uint8Array[] };

export type Eventually<T> = T | Promise<T>;

/** What one SNI name of a server offers (RFC 7925 §4.3 lets several realms share a port). */
export interface ServerRealm {
  /** Absent: no PSK suites. The key, or undefined for an identity nobody knows. */
  readonly findPsk?: (identity: Uint8Array) => Eventually<Uint8Array | undefined>;
  readonly pskIdentityHint?: Uint8Array;
  /** Absent: no certificate suites. */
  readonly own?: OwnKey;
  /** What clients may present; empty lets them stay anonymous only when `clientAuthentication` is not "required". */
  readonly clientTypes?: readonly ("rpk" | "x509")[];
  /** Default "required". */
  readonly clientAuthentication?: "required" | "none";
  readonly verifyClient?: (presented: Presented) => Eventually<Verdict>;
  /** Distinguished names (DER) for CertificateRequest; default none, which says "any" in the fewest bytes. */
  readonly authorities?: readonly Uint8Array[];
  /** Whether an identity of a session to be resumed is still welcome; default yes. */
  readonly isStillWelcome?: (identity: SecureIdentity) => Eventually<boolean>;
}

export interface ServerCredentials {
  /** The realm of an SNI name (undefined when none was sent); undefined answers unrecognized_name. */
  realmOf(serverName: string | undefined): ServerRealm | undefined;
}

export interface ClientCredentials {
  readonly psk?: { readonly identity: Uint8Array; readonly key: Uint8Array };
  readonly own?: OwnKey;
  /** Needed with certificate suites. */
  readonly verifyServer?: (presented: Presented) => Eventually<Verdict>;
  /** Which forms of server key are accepted, preferred first; default what `own` has. */
  readonly serverTypes?: readonly ("rpk" | "x509")[];
  readonly serverName?: string;
  /** Offered to this server in place of those of the endpoint's settings, preferred first. */
  readonly cipherSuites?: readonly number[];
}

/** What a session must remember to be resumed by its id (RFC 5246 §7.3); kept encrypted or in memory only. */
export interface ResumableSession {
  readonly sessionId: Uint8Array;
  /** 48 bytes. */
  readonly masterSecret: Uint8Array;
  readonly cipherSuite: number;
  readonly extendedMasterSecret: boolean;
  readonly encryptThenMac: boolean;
  readonly maxFragmentLength: number | undefined;
  readonly serverName: string | undefined;
  readonly identity: SecureIdentity | undefined;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
}

/** Bounded in number and age by whoever implements it. */
export interface SessionCache {
  find(sessionId: Uint8Array): ResumableSession | undefined;
  keep(session: ResumableSession): void;
  /** Forgets every session of an identity that is no longer welcome. */
  forget(matches: (session: ResumableSession) => boolean): void;
  /** Forgets those of one identity, at the cost of those alone: a connection of it failed (RFC 5246 §7.2.2). */
  forgetOf(identity: SecureIdentity): void;
}
