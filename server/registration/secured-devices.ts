/**
 * Registrations and the secured connections they hang on: a device that connects anew goes on with its registration, one whose
 * connection is gone is not called, one whose credential was removed is marked.
 */
import { Method } from "@lwm2m/protocol/coap/codes";
import { CoapFormatError } from "@lwm2m/protocol/coap/format-error";
import { MessageView } from "@lwm2m/protocol/coap/message-view";
import { readRequestFields } from "@lwm2m/protocol/coap/request-fields";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { LostReason, SecuredPeers } from "../doors/secured-peers.ts";
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
  secured.onNew((peer, first) => {
    if (peer.association?.identity === undefined || registrations.endpointAt(peer) !== undefined) return undefined;
    // Some devices fetch firmware over a connection of its own, beside the one they are called at.
    if (isDownload(first)) return "not-yet";
    const introduced = introduce(peer);
    supervisor.run(introduced, "find out who has connected");
    return introduced;
  });
  secured.onLost((peer, reason, by) => {
    const endpoint = registrations.noteDisconnected(peer);
    if (endpoint === undefined) return;
    if (isBarred(reason)) supervisor.run(registrations.bar(endpoint), `mark ${endpoint} as barred`);
    // It may stay silent for long: then it is called where it is now.
    if (by !== undefined) supervisor.run(introduce(by), "find out who has connected");
  });

  async function introduce(peer: SocketAddress): Promise<void> {
    const identity = peer.association?.identity;
    const endpoint = await identities.endpointOf({ address: peer });
    if (identity === undefined || endpoint === undefined) return;
    // What registered with another credential has to register anew; so has what registered without any.
    await registrations.follow(endpoint, peer, (registration) => isSameIdentity(registration.identity, identity));
  }
}

const view = new MessageView();

/** A request for a package, as far as can be seen. */
function isDownload(datagram: Uint8Array): boolean {
  try {
    view.decode(datagram);
    return view.code === Method.get && readRequestFields(view).path[0] === "fw";
  } catch (error) {
    if (error instanceof CoapFormatError) return false;
    throw error;
  }
}

function isBarred(reason: LostReason): boolean {
  return reason === "credential-removed";
}
