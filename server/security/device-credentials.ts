/** What the doors ask of the security store: keys for handshakes, whom an identity stands for, and when to let go of a connection. */
import type { ServerCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";

/** The LwM2M server and the bootstrap server keep keys of their own: a device's bootstrap credential opens no other door. */
export type Realm = "server" | "bootstrap";

export const realms: readonly Realm[] = ["server", "bootstrap"];

export type EndpointOutcome = { readonly kind: "endpoint"; readonly endpoint: string } | { readonly kind: "unknown" };

/** Tells whether an identity is one of those that were let in before and are not any more. */
export type IdentityMatch = (identity: SecureIdentity) => boolean;

export interface DeviceCredentials {
  /** For `openDtlsEndpoint`; the same object shows every later change of keys and anchors. */
  serverCredentials(realm: Realm): ServerCredentials;
  /**
   * Whom an identity stands for now: the endpoint name of its credential; of a certificate under an anchor, what that anchor's rule
   * takes from it. "unknown" after the credential was removed, so it is to be asked at every Register and Bootstrap-Request.
   */
  endpointFor(realm: Realm, identity: SecureIdentity): Promise<EndpointOutcome>;
  /** The endpoint name has a credential, or begins like those an anchor is set for: it is refused over plain CoAP (4.03). */
  isSecured(realm: Realm, endpoint: string): Promise<boolean>;
  /** Called once a removal or replacement is durable and live connections are to go: those that match are to be dropped. */
  onRemoved(listener: (realm: Realm, matches: IdentityMatch) => void): void;
}
