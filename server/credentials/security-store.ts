/** The security store as the doors see it: credentials, trust anchors and server identities behind one contract. */

import { AlertDescription } from "@lwm2m/protocol/dtls/constants";
import { clientVerifier } from "@lwm2m/protocol/dtls/credentials/client-verifier";
import { KeyCache } from "@lwm2m/protocol/dtls/credentials/key-cache";
import type { Presented, ServerCredentials, Verdict } from "@lwm2m/protocol/dtls/credentials-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { DeviceCredentials, EndpointOutcome, IdentityMatch, Realm } from "../security/device-credentials.ts";
import type { SecretBox } from "../security/secret-box.ts";
import { credentialLimits } from "./credential.ts";
import { CredentialService } from "./credential-service.ts";
import type { EntryStoreDeps } from "./entry-store.ts";
import { openServerIdentityService, type ServerIdentityService } from "./server-identity-service.ts";
import { openTrustAnchorService, type TrustAnchorService } from "./trust-anchor-service.ts";

export interface SecurityStoreDeps extends EntryStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretBox;
}

/** Issuers and devices of a fleet whose keys stay imported; about a kilobyte each. */
const cachedKeys = 1_000;

type Listener = (realm: Realm, matches: IdentityMatch) => void;

/** Makes the server's own keys where they are missing. */
export async function openSecurityStore(deps: SecurityStoreDeps): Promise<SecurityStore> {
  const listeners: Listener[] = [];
  const parts = {
    ...deps,
    onRemoved: (realm: Realm, matches: IdentityMatch) => {
      for (const listener of listeners) listener(realm, matches);
    },
  };
  const credentials = new CredentialService(parts);
  await credentials.sweep();
  const anchors = await openTrustAnchorService(parts);
  const identities = await openServerIdentityService(deps);
  return new SecurityStore({ clock: deps.clock, credentials, anchors, identities }, listeners);
}

export interface SecurityStoreParts {
  readonly clock: Clock;
  readonly credentials: CredentialService;
  readonly anchors: TrustAnchorService;
  readonly identities: ServerIdentityService;
}

export class SecurityStore implements DeviceCredentials {
  readonly credentials: CredentialService;
  readonly anchors: TrustAnchorService;
  readonly identities: ServerIdentityService;
  readonly #clock: Clock;
  readonly #keys = new KeyCache(cachedKeys);
  readonly #listeners: Listener[];

  constructor({ clock, credentials, anchors, identities }: SecurityStoreParts, listeners: Listener[]) {
    this.#clock = clock;
    this.credentials = credentials;
    this.anchors = anchors;
    this.identities = identities;
    this.#listeners = listeners;
  }

  serverCredentials(realm: Realm): ServerCredentials {
    const shared = {
      findPsk: (identity: Uint8Array) => (isPskIdentity(identity) ? this.credentials.findPsk(realm, identity) : undefined),
      verifyClient: (presented: Presented) => this.#verify(realm, presented),
      isStillWelcome: async (identity: SecureIdentity) => (await this.endpointFor(realm, identity)).kind === "endpoint",
    };
    return {
      realmOf: (serverName) => {
        const own = this.identities.ownKeyFor(realm, serverName);
        return own === undefined ? shared : { ...shared, own };
      },
    };
  }

  async endpointFor(realm: Realm, identity: SecureIdentity): Promise<EndpointOutcome> {
    const isAnchored = identity.kind === "x509" && identity.anchorSha256 !== undefined;
    const endpoint = isAnchored ? this.anchors.endpointFor(realm, identity) : await this.credentials.ownerOf(realm, identity);
    return endpoint === undefined ? { kind: "unknown" } : { kind: "endpoint", endpoint };
  }

  async isSecured(realm: Realm, endpoint: string): Promise<boolean> {
    return this.anchors.claims(realm, endpoint) || (await this.credentials.hasAny(realm, endpoint));
  }

  onRemoved(listener: Listener): void {
    this.#listeners.push(listener);
  }

  async #verify(realm: Realm, presented: Presented): Promise<Verdict> {
    const isKnown = (kind: "rpk" | "x509") => (sha256: Uint8Array) =>
      this.credentials.isKnown(realm, `${kind}:${Buffer.from(sha256).toString("hex")}`);
    const trust = { anchors: this.anchors.trusted(realm), isKnownKey: isKnown("rpk"), isKnownCertificate: isKnown("x509") };
    const verdict = await clientVerifier({ trust, clock: this.#clock, keys: this.#keys })(presented);
    if (!verdict.ok || (await this.endpointFor(realm, verdict.identity)).kind === "endpoint") return verdict;
    return {
      ok: false,
      alert: AlertDescription.certificateUnknown,
      reason: "a certificate in which its authority's rule finds no endpoint name",
    };
  }
}

/** Longer ones are nobody's (LwM2M Transport 1.1 §5.2.8.1). */
function isPskIdentity(identity: Uint8Array): boolean {
  return identity.length >= 1 && identity.length <= credentialLimits.pskIdentityBytes;
}
