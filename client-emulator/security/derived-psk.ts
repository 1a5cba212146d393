/**
 * The credentials of a whole fleet from one secret, so that whoever has the secret can make them again:
 * identity = prefix + endpoint name, key = the first 16 bytes of HMAC-SHA256(secret, identity), both as UTF-8.
 */
import { createHmac } from "node:crypto";

export interface DerivedPsk {
  readonly identity: string;
  readonly key: Uint8Array;
}

const keyBytes = 16;
/** Fewer characters would make the secret easier to guess than the keys. */
export const leastSecretCharacters = 16;

export function derivePsk(secret: string, prefix: string, endpointName: string): DerivedPsk {
  const identity = `${prefix}${endpointName}`;
  return { identity, key: new Uint8Array(createHmac("sha256", secret).update(identity).digest().subarray(0, keyBytes)) };
}
