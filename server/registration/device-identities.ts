/**
 * Whether who asks may act as a device (LwM2M Core 1.1 §6.2.1: the endpoint name is never trusted alone). Over DTLS the credential says
 * who it is; without it only devices that have no credential come in.
 */
import type { Peer } from "@lwm2m/protocol/coap/message";
import type { DeviceCredentials, Realm } from "../security/device-credentials.ts";
import type { MismatchReports } from "./mismatch-reports.ts";

/** `unnamed`: it says no name, and its credential is not one that names a device. */
export type IdentityRefusal = "other-endpoint" | "unknown-identity" | "unsecured" | "unnamed";

export type Admission =
  | { readonly ok: true; readonly endpoint: string }
  | { readonly ok: false; readonly reason: IdentityRefusal; readonly detail: string };

export class DeviceIdentities {
  readonly #credentials: DeviceCredentials;
  readonly #realm: Realm;
  readonly #reports: MismatchReports;

  constructor(credentials: DeviceCredentials, realm: Realm, reports: MismatchReports) {
    this.#credentials = credentials;
    this.#realm = realm;
    this.#reports = reports;
  }

  /** `named` is the endpoint name it gave, if any. */
  async admit(peer: Peer, named: string | undefined): Promise<Admission> {
    const admission = await this.#judge(peer, named);
    if (!admission.ok && admission.reason !== "unnamed") this.#reports.note(this.#realm, peer, named, admission.reason);
    return admission;
  }

  /** The endpoint name of a secured peer's credential; undefined when nobody knows it. */
  async endpointOf({ address: { association } }: Pick<Peer, "address">): Promise<string | undefined> {
    if (association?.identity === undefined) return undefined;
    const found = await this.#credentials.endpointFor(this.#realm, association.identity);
    return found.kind === "endpoint" ? found.endpoint : undefined;
  }

  /** Whether a request from there is the device's own. */
  async is(peer: Peer, endpoint: string): Promise<boolean> {
    if (peer.address.association === undefined) return !(await this.#credentials.isSecured(this.#realm, endpoint));
    return (await this.endpointOf(peer)) === endpoint;
  }

  async #judge(peer: Peer, named: string | undefined): Promise<Admission> {
    if (peer.address.association === undefined) {
      if (named === undefined) return refuse("unnamed", "ep: expected an endpoint name, got none");
      const isSecured = await this.#credentials.isSecured(this.#realm, named);
      return isSecured ? refuse("unsecured", "this endpoint name has a credential: come over DTLS") : { ok: true, endpoint: named };
    }
    const endpoint = await this.endpointOf(peer);
    if (endpoint === undefined) return refuse("unknown-identity", "no device has this credential");
    // A raw key names nobody by itself (LwM2M Core 1.1 §6.2.1; Leshan does the same).
    if (named === undefined && peer.identity.kind === "rpk") return refuse("unnamed", "ep: a raw public key names no endpoint");
    if (named !== undefined && named !== endpoint) return refuse("other-endpoint", "ep is not the endpoint name of this credential");
    return { ok: true, endpoint };
  }
}

function refuse(reason: IdentityRefusal, detail: string): Admission {
  return { ok: false, reason, detail };
}
