/** Ephemeral Diffie-Hellman over the named groups (RFC 8422 §5.4, §5.7, §5.10, §5.11); the arithmetic is node:crypto's. */
import { createECDH, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
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
/** PrivateKeyInfo of X25519 up to the key itself (RFC 8410 §7). */
const x25519PrivateHead = Buffer.from("302e020100300506032b656e04220420", "hex");

/** A fresh key pair; `group` is one of `NamedGroup`. */
export function makeEphemeral(group: NamedGroup): Ephemeral {
  return group === NamedGroup.x25519 ? x25519Of(generateKeyPairSync("x25519").privateKey) : ecdhOf(group, undefined);
}

/** The key pair of a known private key: published vectors. */
export function ephemeralOf(group: NamedGroup, privateKey: Uint8Array): Ephemeral {
  if (group !== NamedGroup.x25519) return ecdhOf(group, privateKey);
  return x25519Of(createPrivateKey({ key: Buffer.concat([x25519PrivateHead, privateKey]), format: "der", type: "pkcs8" }));
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

/** Keys go in and out as JWK (RFC 8037 §2): on Node 20 that takes microseconds, DER hundreds of them. */
function x25519Of(privateKey: KeyObject): Ephemeral {
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  return {
    group: NamedGroup.x25519,
    publicKey: Buffer.from(x, "base64url"),
    agree(peerPublic) {
      if (peerPublic.length !== x25519Bytes) throw new DtlsFormatError("public-key", `x25519: ${peerPublic.length} bytes, expected 32`);
      const peer = createPublicKey({ key: { kty: "OKP", crv: "X25519", x: Buffer.from(peerPublic).toString("base64url") }, format: "jwk" });
      try {
        return diffieHellman({ privateKey, publicKey: peer });
      } catch {
        // RFC 8422 §5.11: a share of small order gives zero, which OpenSSL refuses.
        throw new DtlsFormatError("public-key", "x25519: the secret would be zero");
      }
    },
  };
}
