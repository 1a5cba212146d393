/** Credentials of tests: PSKs by identity, changed at will. */
import type { ServerCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { DeviceCredentials, EndpointOutcome, IdentityMatch, Realm } from "../security/device-credentials.ts";

export interface TestCredential {
  readonly endpoint: string | undefined;
  readonly key: Uint8Array;
}

export class MemoryCredentials implements DeviceCredentials {
  readonly psks = new Map<string, TestCredential>();
  #listeners: ((realm: Realm, matches: IdentityMatch) => void)[] = [];

  add(identity: string, endpoint: string | undefined): Uint8Array {
    const key = Buffer.from(`a key of ${identity}`.padEnd(16, "."));
    this.psks.set(identity, { endpoint, key });
    return key;
  }

  /** As the security store does: the connections are dropped. */
  remove(identity: string): void {
    this.psks.delete(identity);
    for (const listener of this.#listeners) listener("server", (seen) => nameOf(seen) === identity);
  }

  /** A process of its own listens anew. */
  restart(): this {
    this.#listeners = [];
    return this;
  }

  serverCredentials(): ServerCredentials {
    return { realmOf: () => ({ findPsk: (identity) => this.psks.get(Buffer.from(identity).toString())?.key }) };
  }

  async endpointFor(_realm: Realm, identity: SecureIdentity): Promise<EndpointOutcome> {
    const endpoint = this.psks.get(nameOf(identity))?.endpoint;
    return endpoint === undefined ? { kind: "unknown" } : { kind: "endpoint", endpoint };
  }

  async isSecured(_realm: Realm, endpoint: string): Promise<boolean> {
    return [...this.psks.values()].some((credential) => credential.endpoint === endpoint);
  }

  onRemoved(listener: (realm: Realm, matches: IdentityMatch) => void): void {
    this.#listeners.push(listener);
  }
}

function nameOf(identity: SecureIdentity): string {
  return identity.kind === "psk" ? Buffer.from(identity.identity).toString() : "";
}
