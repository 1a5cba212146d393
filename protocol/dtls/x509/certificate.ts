/** One X.509 certificate taken apart (RFC 5280 §4.1): the fields that path validation and identity need, the rest skipped but bounded. */
import { findEpochSeconds } from "../../bytes/civil-time.ts";
import { childrenOf, DerReader, type Element, findText, readObjectIdentifier, readSmallInteger, readWholeBytes, Tag } from "./der.ts";
import { type Extensions, readExtensions } from "./extensions.ts";
import { X509Error } from "./x509-error.ts";

export interface Certificate {
  readonly der: Uint8Array;
  readonly toBeSigned: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  /** Whole Name, DER: names are compared by their bytes. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since the epoch, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whole SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The last, most specific one of the subject. */
  readonly commonName: string | undefined;
  readonly extensions: Extensions;
}

export interface AlgorithmIdentifier {
  readonly id: string;
  readonly parameters: Element | undefined;
}

/** What a chain of constrained devices never reaches; the handshake allows less. */
const largestCertificateBytes = 16_384;
const mostNameParts = 32;

const tagVersion = 0xa0;
const tagIssuerUniqueId = 0x81;
const tagSubjectUniqueId = 0x82;
const tagExtensions = 0xa3;
const commonNameId = "2.5.4.3";

/** Throws `X509Error` for anything but one whole certificate. */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > largestCertificateBytes) throw new X509Error("too-large", `a certificate of ${der.length} bytes`);
  const outer = new DerReader(der);
  const parts = new DerReader(outer.expect(Tag.sequence, "Certificate").content);
  outer.end("Certificate");
  const toBeSigned = parts.expect(Tag.sequence, "TBSCertificate");
  const signatureAlgorithm = parts.expect(Tag.sequence, "signatureAlgorithm");
  const signature = readWholeBytes(parts.expect(Tag.bitString, "signatureValue").content, "signatureValue");
  parts.end("Certificate");

  const fields = new DerReader(toBeSigned.content);
  const version = readVersion(fields.optional(tagVersion));
  fields.expect(Tag.integer, "serialNumber");
  const innerAlgorithm = fields.expect(Tag.sequence, "signature");
  // RFC 5280 §4.1.1.2: the field outside the signed part must say the same.
  if (!Buffer.from(innerAlgorithm.whole).equals(signatureAlgorithm.whole))
    throw new X509Error("malformed", "two different signature algorithms");
  const issuer = fields.expect(Tag.sequence, "issuer");
  const validity = new DerReader(fields.expect(Tag.sequence, "validity").content);
  const notBefore = readTime(validity.next());
  const notAfter = readTime(validity.next());
  validity.end("validity");
  const subject = fields.expect(Tag.sequence, "subject");
  const publicKey = fields.expect(Tag.sequence, "subjectPublicKeyInfo");
  fields.optional(tagIssuerUniqueId);
  fields.optional(tagSubjectUniqueId);
  const extensions = fields.optional(tagExtensions);
  fields.end("TBSCertificate");
  if (extensions !== undefined && version !== 3) throw new X509Error("malformed", "extensions in a certificate that is not version 3");
  checkName(issuer.content);
  return {
    der,
    toBeSigned: toBeSigned.whole,
    version,
    signatureAlgorithm: readAlgorithm(signatureAlgorithm),
    signature,
    issuer: issuer.whole,
    subject: subject.whole,
    notBefore,
    notAfter,
    publicKey: publicKey.whole,
    commonName: findCommonName(subject.content),
    extensions: readExtensions(extensions?.content),
  };
}

export function readAlgorithm({ content }: Element): AlgorithmIdentifier {
  const reader = new DerReader(content);
  const id = readObjectIdentifier(reader.expect(Tag.objectIdentifier, "algorithm").content);
  const parameters = reader.atEnd ? undefined : reader.next();
  reader.end("AlgorithmIdentifier");
  return { id, parameters };
}

function readVersion(element: Element | undefined): number {
  if (element === undefined) return 1;
  const reader = new DerReader(element.content);
  const version = readSmallInteger(reader.expect(Tag.integer, "version").content, "version") + 1;
  reader.end("version");
  if (version < 2 || version > 3) throw new X509Error("malformed", `version ${version}`);
  return version;
}

/** RFC 5280 §4.1.2.5: both forms in UTC, with seconds, without fractions. */
function readTime({ tag, content }: Element): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const digits = tag === Tag.utcTime ? fullYear(text) : tag === Tag.generalizedTime ? text : "";
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  const [year, month, day, hour, minute, second] = match?.slice(1) ?? [];
  const seconds = match === null ? undefined : findEpochSeconds(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (seconds === undefined) throw new X509Error("malformed", "a time that is none");
  return Number(seconds) * 1000;
}

function fullYear(text: string): string {
  return `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}`;
}

function findCommonName(name: Uint8Array): string | undefined {
  let commonName: string | undefined;
  for (const { id, value } of attributesOf(name)) {
    if (id === commonNameId) commonName = findText(value);
  }
  // A NUL has made one reader see another name than the next (CVE-2009-2408).
  return commonName?.includes("\u0000") ? undefined : commonName;
}

function checkName(name: Uint8Array): void {
  attributesOf(name);
}

function attributesOf(name: Uint8Array): readonly { readonly id: string; readonly value: Element }[] {
  return childrenOf(name, mostNameParts, "Name").flatMap(({ tag, content }) => {
    if (tag !== Tag.set) throw new X509Error("malformed", "a Name of something else than sets");
    return childrenOf(content, mostNameParts, "RelativeDistinguishedName").map((attribute) => {
      const reader = new DerReader(attribute.content);
      if (attribute.tag !== Tag.sequence) throw new X509Error("malformed", "an attribute of a Name that is no sequence");
      const id = readObjectIdentifier(reader.expect(Tag.objectIdentifier, "attribute type").content);
      const value = reader.next();
      reader.end("attribute");
      return { id, value };
    });
  });
}
