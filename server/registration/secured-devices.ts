/**
 * Registrations and the secured connections they hang on: a device that connects anew goes on with its registration, one whose
 * connection is gone is not called, one whose credential was removed is marked.
 */
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { LostReason, SecuredPeers } from "../secured-peers.ts";
import type { Supervisor } from "../supervisor.ts";
import type { DeviceIdentities } from "./device-identities.ts";
import { isSameIdentity } from "./registered-identity.ts";
import type { RegistrationService } from "./registration-service.ts";

export interface SecuredDevicesDeps {
  readonly secured: SecuredPeers;
  readonly registrations: RegistrationService;
  readonly identities: DeviceIdentities;
  readonly supervisor: Supervisor;
}

export function watchSecuredDevices({ secured, registrations, identities, supervisor }: SecuredDevicesDeps): void {
  secured.onNew((peer) => {
    if (peer.association?.identity === undefined || registrations.endpointAt(peer) !== undefined) return undefined;
    const introduced = introduce(peer);
    supervisor.run(introduced, "find out who has connected");
    return introduced;
  });
  secured.onLost((peer, reason) => {
    const endpoint = registrations.noteDisconnected(peer);
    if (endpoint !== undefined && isBarred(reason)) supervisor.run(registrations.bar(endpoint), `mark ${endpoint} as barred`);
  });

  async function introduce(peer: SocketAddress): Promise<void> {
    const identity = peer.association?.identity;
    const endpoint = await identities.endpointOf({ address: peer });
    if (identity === undefined || endpoint === undefined) return;
    // What registered with another credential has to register anew; so has what registered without any.
    await registrations.follow(endpoint, peer, (registration) => isSameIdentity(registration.identity, identity));
  }
}

function isBarred(reason: LostReason): boolean {
  return reason === "credential-removed";
}
