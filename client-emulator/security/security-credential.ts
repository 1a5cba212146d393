/** What an instance of object 0 says about how its server is to be talked to (LwM2M Core 1.1 appendix E.1). */

/** Resource 2. */
export const SecurityMode = { psk: 0, rawPublicKey: 1, certificate: 2, noSec: 3 } as const;

export interface SecurityCredential {
  /** Resource 2; one that is none of `SecurityMode` cannot be used here. */
  readonly mode: number;
  /** Resource 3: the PSK identity, the own SubjectPublicKeyInfo, or the own certificates one after the other, leaf first; DER. */
  readonly identity: Uint8Array;
  /** Resource 4: the server's SubjectPublicKeyInfo, or its certificate or a hash of it. */
  readonly serverKey: Uint8Array;
  /** Resource 5: the PSK, or the private key, DER. */
  readonly secret: Uint8Array;
  /** Resource 13: 0 exact (default), 1 SHA-256, 2 SHA-384, 3 SHA-512. */
  readonly matchingType?: number | undefined;
  /** Resource 14. */
  readonly serverName?: string | undefined;
  /** Resource 15: 0 to 3 (default). */
  readonly certificateUsage?: number | undefined;
  /** Resource 16, IANA numbers; empty: as the device likes. */
  readonly cipherSuites?: readonly number[];
}

const nothing = new Uint8Array(0);

export const noSecurity: SecurityCredential = { mode: SecurityMode.noSec, identity: nothing, serverKey: nothing, secret: nothing };

export function pskCredential(identity: string, key: Uint8Array, serverName?: string | undefined): SecurityCredential {
  return { mode: SecurityMode.psk, identity: new TextEncoder().encode(identity), serverKey: nothing, secret: key, serverName };
}
