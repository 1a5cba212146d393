/** Ephemeral Diffie-Hellman over the named groups (RFC 8422 §5.4, §5.7, §5.10, §5.11); the arithmetic is node:crypto's. */
import { createECDH, createPrivateKey, createPublicKey, diffieHellman, randomBytes } from "node:crypto";
import { NamedGroup } from "../constants.ts";
import { DtlsFormatError } from "../wire/format-error.ts";

export interface Ephemeral {
  readonly group: NamedGroup;
  /** As ServerKeyExchange and ClientKeyExchange carry it: an uncompressed point, or the 32 bytes of X25519. */
  readonly publicKey: Uint8Array;
  /** The shared secret, as long as the field. Throws `DtlsFormatError` for a share that is none. */
  agree(peerPublic: Uint8Array): Uint8Array;
}

interface Curve {
  /** As OpenSSL has it. */
  readonly name: string;
  readonly fieldBytes: number;
}

const curves: ReadonlyMap<number, Curve> = new Map([
  [NamedGroup.secp256r1, { name: "prime256v1", fieldBytes: 32 }],
  [NamedGroup.secp384r1, { name: "secp384r1", fieldBytes: 48 }],
]);
const uncompressed = 4;
const x25519Bytes = 32;
/** PrivateKeyInfo and SubjectPublicKeyInfo of X25519 up to the key itself (RFC 8410 §4, §7). */
const x25519PrivateHead = Buffer.from("302e020100300506032b656e04220420", "hex");
const x25519PublicHead = Buffer.from("302a300506032b656e032100", "hex");

/** A fresh key pair; `group` is one of `NamedGroup`. */
export function makeEphemeral(group: NamedGroup): Ephemeral {
  return group === NamedGroup.x25519 ? x25519Of(randomBytes(x25519Bytes)) : ecdhOf(group, undefined);
}

/** The key pair of a known private key: published vectors. */
export function ephemeralOf(group: NamedGroup, privateKey: Uint8Array): Ephemeral {
  return group === NamedGroup.x25519 ? x25519Of(privateKey) : ecdhOf(group, privateKey);
}

export function isKnownGroup(group: number): group is NamedGroup {
  return group === NamedGroup.x25519 || curves.has(group);
}

function ecdhOf(group: NamedGroup, privateKey: Uint8Array | undefined): Ephemeral {
  const curve = curves.get(group);
  if (curve === undefined) throw new Error(`group ${group} is not spoken here`);
  const ecdh = createECDH(curve.name);
  if (privateKey === undefined) ecdh.generateKeys();
  else ecdh.setPrivateKey(privateKey);
  return {
    group,
    publicKey: ecdh.getPublicKey(),
    agree(peerPublic) {
      // RFC 8422 §5.4.1: the other two forms OpenSSL would take are not for the wire.
      if (peerPublic.length !== 1 + 2 * curve.fieldBytes || peerPublic[0] !== uncompressed) {
        throw new DtlsFormatError("public-key", `${curve.name}: ${peerPublic.length} bytes are no uncompressed point`);
      }
      try {
        return ecdh.computeSecret(peerPublic);
      } catch {
        throw new DtlsFormatError("public-key", `${curve.name}: the point is not on the curve`);
      }
    },
  };
}

function x25519Of(secret: Uint8Array): Ephemeral {
  const privateKey = createPrivateKey({ key: Buffer.concat([x25519PrivateHead, secret]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(x25519PublicHead.length);
  return {
    group: NamedGroup.x25519,
    publicKey,
    agree(peerPublic) {
      if (peerPublic.length !== x25519Bytes) throw new DtlsFormatError("public-key", `x25519: ${peerPublic.length} bytes, expected 32`);
      const peer = createPublicKey({ key: Buffer.concat([x25519PublicHead, peerPublic]), format: "der", type: "spki" });
      try {
        return diffieHellman({ privateKey, publicKey: peer });
      } catch {
        // RFC 8422 §5.11: a share of small order gives zero, which OpenSSL refuses.
        throw new DtlsFormatError("public-key", "x25519: the secret would be zero");
      }
    },
  };
}
