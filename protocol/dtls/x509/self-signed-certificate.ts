/** A certificate a key signs for itself (RFC 5280 §4.1): a server's first one, which devices pin (LwM2M Core 1.1 §5.2.8.7, usage 3). */
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import type { Random } from "../../ports/random.ts";
import { bitString, boolean, explicit, ia5, octetString, oid, positiveInteger, sequence, setOf, time, utf8String } from "./der-writer.ts";
import { X509Error } from "./x509-error.ts";

export interface SelfSignedWish {
  /** P-256. */
  readonly privateKey: KeyObject;
  /** 1 to 64 characters (RFC 5280 appendix A.1, ub-common-name). */
  readonly commonName: string;
  /** As dNSName; for clients that compare the host they were told. */
  readonly dnsNames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const version3 = explicit(0, Uint8Array.of(0x02, 1, 2));
const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const serverAuth = "1.3.6.1.5.5.7.3.1";
/** RFC 5280 §4.1.2.2: at most 20 octets; 16 unpredictable ones never meet again. */
const serialBytes = 16;
const mostNameCharacters = 64;
const tagDnsName = 0x82;

/** DER. Throws `X509Error` for a key of another curve or a name that does not fit. */
export function makeSelfSignedCertificate(wish: SelfSignedWish, random: Random): Uint8Array {
  const { privateKey, commonName, notBefore, notAfter } = wish;
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new X509Error("unsupported", "a key that is not of P-256");
  if (commonName.length === 0 || commonName.length > mostNameCharacters) throw new X509Error("too-large", "a common name of no fit length");
  const name = sequence(setOf(sequence(oid("2.5.4.3"), utf8String(commonName))));
  const toBeSigned = sequence(
    version3,
    positiveInteger(random.bytes(serialBytes)),
    ecdsaWithSha256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" })),
    explicit(3, sequence(...extensionsOf(wish))),
  );
  return sequence(toBeSigned, ecdsaWithSha256, bitString(new Uint8Array(sign("sha256", toBeSigned, privateKey))));
}

/** No keyUsage: OpenSSL takes a self-signed leaf as its own anchor only when nothing forbids its key to sign certificates. */
function extensionsOf({ dnsNames }: SelfSignedWish): readonly Uint8Array[] {
  return [
    // An end entity: an empty sequence, cA being false by default.
    extension("2.5.29.19", sequence(), true),
    extension("2.5.29.37", sequence(oid(serverAuth)), false),
    ...(dnsNames.length === 0 ? [] : [extension("2.5.29.17", sequence(...dnsNames.map((name) => ia5(tagDnsName, name))), false)]),
  ];
}

function extension(id: string, value: Uint8Array, critical: boolean): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}
