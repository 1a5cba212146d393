/** Keys and certificates of both sides, made when a run begins: right ones, and those somebody has to refuse. */

import { clientVerifier } from "@lwm2m/protocol/dtls/credentials/client-verifier";
import { KeyCache } from "@lwm2m/protocol/dtls/credentials/key-cache";
import { CertificateUsage, serverVerifier } from "@lwm2m/protocol/dtls/credentials/server-verifier";
import type { ClientCredentials, OwnKey, ServerCredentials, ServerRealm } from "@lwm2m/protocol/dtls/credentials-contract";
import {
  clientAuth,
  issue,
  makeTestAuthority,
  makeTestKey,
  serverAuth,
  sha256,
  type TestCertificate,
} from "@lwm2m/protocol/dtls/testing/test-authority";
import { trustAnchorOf } from "@lwm2m/protocol/dtls/x509/verify-chain";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { Wish } from "./wish.ts";

export const pskIdentity = "interop-device";
export const pskKeyHex = "00112233445566778899aabbccddeeff";
export const otherIdentity = "nobody";
export const otherKeyHex = "ffeeddccbbaa99887766554433221100";
export const serverHost = "localhost";

const year2001Ms = 978_307_200_000;

export const authority = makeTestAuthority("interop root");
const stranger = makeTestAuthority("another root");
const endEntity = { keyUsage: [0], authority: false } as const;
const serverWish = { ...endEntity, commonName: serverHost, dnsNames: [serverHost, "device.example"], extendedKeyUsage: [serverAuth] };
const clientWish = { ...endEntity, commonName: pskIdentity, extendedKeyUsage: [clientAuth] };

export const certificates = {
  server: issue(authority, serverWish),
  client: issue(authority, clientWish),
  "unknown-server": issue(stranger, serverWish),
  "unknown-client": issue(stranger, clientWish),
  "expired-server": issue(authority, { ...serverWish, notAfter: year2001Ms }),
  "expired-client": issue(authority, { ...clientWish, notAfter: year2001Ms }),
} as const;
export type CertificateName = keyof typeof certificates;
export const rawKeys = { server: makeTestKey(), client: makeTestKey() } as const;

/** What a side presents; the one that is to be refused has the wrong one. */
export function certificateName(role: "server" | "client", side: "we" | "peer", wish: Wish): CertificateName {
  const refuser = side === "we" ? "peer" : "we";
  if (wish.fault === `${refuser === "we" ? "we-refuse" : "peer-refuses"}-unknown`) return `unknown-${role}`;
  return wish.fault === `${refuser === "we" ? "we-refuse" : "peer-refuses"}-expired` ? `expired-${role}` : role;
}

const utf8 = new TextEncoder();
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));

/** Of the peer as a client: a wrong key or identity is always on its side, or on ours as a client. */
export const clientPsk = ({ fault }: Wish) => ({
  identity: fault === "unknown-identity" ? otherIdentity : pskIdentity,
  keyHex: fault === "wrong-key" ? otherKeyHex : pskKeyHex,
});

/** As servers. `asked` takes down the names the clients sent. */
export function ourServerCredentials(wish: Wish, asked: (string | undefined)[]): ServerCredentials {
  const verifyClient = clientVerifier({
    clock: systemClock,
    keys: new KeyCache(16),
    trust: {
      anchors: [trustAnchorOf(authority.certificate)],
      isKnownKey: (hash) => Buffer.from(hash).equals(sha256(rawKeys.client.publicKey)),
      isKnownCertificate: () => false,
    },
  });
  const own = wish.credential === "raw-keys" ? rawKeys.server : ownKeyOf(certificates[certificateName("server", "we", wish)]);
  const clientTypes = [wish.credential === "raw-keys" ? "rpk" : "x509"] as const;
  const findPsk = (identity: Uint8Array) => (Buffer.from(identity).toString() === pskIdentity ? fromHex(pskKeyHex) : undefined);
  const realm: ServerRealm =
    wish.credential === "psk"
      ? { findPsk }
      : wish.credential === "server-certificate"
        ? { own, clientAuthentication: "none" }
        : { own, clientTypes, verifyClient };
  return {
    realmOf: (name) => {
      asked.push(name);
      return realm;
    },
  };
}

export function ourClientCredentials(wish: Wish): ClientCredentials {
  const serverName = wish.serverName === undefined ? {} : { serverName: wish.serverName };
  if (wish.credential === "psk") {
    const { identity, keyHex } = clientPsk(wish);
    return { psk: { identity: utf8.encode(identity), key: fromHex(keyHex) }, ...serverName };
  }
  const now = (): number => systemClock.now();
  if (wish.credential === "raw-keys") {
    return {
      own: rawKeys.client,
      verifyServer: serverVerifier({ reference: rawKeys.server.publicKey, now }),
      serverTypes: ["rpk"],
      ...serverName,
    };
  }
  const verifyServer = serverVerifier({ usage: CertificateUsage.trustAnchor, reference: authority.certificate, host: serverHost, now });
  const own = wish.credential === "certificates" ? { own: ownKeyOf(certificates[certificateName("client", "we", wish)]) } : {};
  return { ...own, verifyServer, serverTypes: ["x509"], ...serverName };
}

function ownKeyOf({ privateKey, publicKey, chain }: TestCertificate): OwnKey {
  return { privateKey, publicKey, chain };
}
