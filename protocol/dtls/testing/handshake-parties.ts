/** Credentials of both sides for handshake tests; every certificate and key is made when asked for. */
import type { ClientCredentials, OwnKey, Presented, ServerRealm, Verdict } from "../credentials-contract.ts";
import { issue, makeTestAuthority, makeTestKey, type TestKeyType } from "./test-authority.ts";

export interface Parties {
  readonly credentials: ClientCredentials;
  readonly realm: ServerRealm;
}

export const pskIdentity: Uint8Array = Buffer.from("urn:dev:1");
export const pskKey: Uint8Array = Buffer.from("0123456789abcdef0123456789abcdef", "hex");

export function pskParties(key: Uint8Array = pskKey): Parties {
  return {
    credentials: { psk: { identity: pskIdentity, key } },
    realm: { findPsk: (identity) => (Buffer.compare(identity, pskIdentity) === 0 ? pskKey : undefined) },
  };
}

/** Both sides with a certificate, or with a raw key only. */
export function provenParties(kind: "rpk" | "x509", serverKey: TestKeyType = "p256", clientKey: TestKeyType = "p256"): Parties {
  const client = ownKey(kind, clientKey);
  const server = ownKey(kind, serverKey);
  return {
    credentials: { own: client, verifyServer: accept },
    realm: { own: server, verifyClient: accept, clientTypes: [kind] },
  };
}

export function ownKey(kind: "rpk" | "x509", type: TestKeyType = "p256"): OwnKey {
  if (kind === "rpk") return makeTestKey(type);
  const { privateKey, publicKey, chain } = issue(makeTestAuthority("root"), { commonName: "urn:dev:1", keyType: type });
  return { privateKey, publicKey, chain };
}

/** Trusts anything and says what it was; whom to trust is tested in `credentials/`. */
export function accept(presented: Presented): Verdict {
  if (presented.kind === "rpk") return { ok: true, identity: { kind: "rpk", publicKey: presented.publicKey } };
  const [certificate = new Uint8Array(0)] = presented.chain;
  const names = { commonName: undefined, dnsNames: [], uris: [], anchorSha256: undefined };
  return { ok: true, identity: { kind: "x509", certificate, ...names } };
}
