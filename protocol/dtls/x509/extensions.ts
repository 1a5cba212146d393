/** The certificate extensions that decide about a path or name a subject (RFC 5280 §4.2.1). */
import { childrenOf, DerReader, type Element, findText, readBoolean, readObjectIdentifier, readSmallInteger, Tag } from "./der.ts";
import { X509Error } from "./x509-error.ts";

export interface Extensions {
  readonly basicConstraints: { readonly authority: boolean; readonly pathLength: number | undefined } | undefined;
  /** Bit n of keyUsage is `1 << n`; undefined when the extension is not there. */
  readonly keyUsage: number | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly alternativeNames: readonly GeneralName[];
  readonly nameConstraints: NameConstraints | undefined;
  /** Critical ones this reader does not act on: RFC 5280 §4.2 has the certificate refused. */
  readonly unknownCritical: readonly string[];
}

export interface GeneralName {
  /** The context tag of RFC 5280 §4.2.1.6: 1 rfc822Name, 2 dNSName, 4 directoryName, 6 URI, 7 iPAddress, … */
  readonly form: number;
  /** The text of forms 1, 2 and 6. */
  readonly text: string | undefined;
  /** The content; a whole Name for form 4. */
  readonly value: Uint8Array;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export const KeyUsage = { digitalSignature: 1, keyAgreement: 1 << 4, keyCertSign: 1 << 5 } as const;
export const NameForm = { email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const;

const mostExtensions = 32;
const mostNames = 64;

const none: Extensions = {
  basicConstraints: undefined,
  keyUsage: undefined,
  extendedKeyUsage: undefined,
  alternativeNames: [],
  nameConstraints: undefined,
  unknownCritical: [],
};

type Reader = (value: Uint8Array) => Partial<Extensions>;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["2.5.29.19", (value) => ({ basicConstraints: readBasicConstraints(value) })],
  ["2.5.29.15", (value) => ({ keyUsage: readKeyUsage(value) })],
  ["2.5.29.37", (value) => ({ extendedKeyUsage: sequenceOf(value, "extKeyUsage").map(({ content }) => readObjectIdentifier(content)) })],
  ["2.5.29.17", (value) => ({ alternativeNames: sequenceOf(value, "subjectAltName").map(readGeneralName) })],
  ["2.5.29.30", (value) => ({ nameConstraints: readNameConstraints(value) })],
  // Policies bind nobody here: no policy is required of a path (RFC 5280 §6.1.1 with any-policy).
  ["2.5.29.32", () => ({})],
]);

/** The content of the `[3]` field; undefined when it is not there. */
export function readExtensions(content: Uint8Array | undefined): Extensions {
  if (content === undefined) return none;
  const seen = new Set<string>();
  const unknownCritical: string[] = [];
  let extensions = none;
  for (const element of sequenceOf(content, "extensions", mostExtensions)) {
    const { id, critical, value } = readExtension(element);
    if (seen.has(id)) throw new X509Error("malformed", `extension ${id} twice`);
    seen.add(id);
    const read = readers.get(id);
    if (read !== undefined) extensions = { ...extensions, ...read(value) };
    else if (critical) unknownCritical.push(id);
  }
  return { ...extensions, unknownCritical };
}

function readExtension({ tag, content }: Element): { readonly id: string; readonly critical: boolean; readonly value: Uint8Array } {
  if (tag !== Tag.sequence) throw new X509Error("malformed", "an extension that is no sequence");
  const reader = new DerReader(content);
  const id = readObjectIdentifier(reader.expect(Tag.objectIdentifier, "extnID").content);
  const flag = reader.optional(Tag.boolean);
  const value = reader.expect(Tag.octetString, "extnValue").content;
  reader.end("extension");
  return { id, critical: flag !== undefined && readBoolean(flag.content), value };
}

function sequenceOf(bytes: Uint8Array, what: string, most = mostNames): readonly Element[] {
  const reader = new DerReader(bytes);
  const { content } = reader.expect(Tag.sequence, what);
  reader.end(what);
  return childrenOf(content, most, what);
}

function readBasicConstraints(value: Uint8Array): Extensions["basicConstraints"] {
  const reader = new DerReader(value);
  const fields = new DerReader(reader.expect(Tag.sequence, "basicConstraints").content);
  reader.end("basicConstraints");
  const flag = fields.optional(Tag.boolean);
  const length = fields.optional(Tag.integer);
  fields.end("basicConstraints");
  return {
    authority: flag !== undefined && readBoolean(flag.content),
    pathLength: length === undefined ? undefined : readSmallInteger(length.content, "pathLenConstraint"),
  };
}

function readKeyUsage(value: Uint8Array): number {
  const reader = new DerReader(value);
  const { content } = reader.expect(Tag.bitString, "keyUsage");
  reader.end("keyUsage");
  const [unused = 8, first = 0, second = 0] = content;
  if (unused > 7 || content.length > 3) throw new X509Error("malformed", "keyUsage that is no short BIT STRING");
  let usage = 0;
  for (let bit = 0; bit < 9; bit++) {
    const byte = bit < 8 ? first : second;
    if ((byte & (0x80 >> (bit & 7))) !== 0) usage |= 1 << bit;
  }
  return usage;
}

function readGeneralName({ tag, content }: Element): GeneralName {
  if ((tag & 0xc0) !== 0x80) throw new X509Error("malformed", "a GeneralName without a context tag");
  const form = tag & 0x1f;
  const isText = form === NameForm.email || form === NameForm.dns || form === NameForm.uri;
  const text = isText ? findText({ tag: Tag.ia5String, whole: content, content }) : undefined;
  if (isText && (text === undefined || text.includes("\u0000"))) throw new X509Error("malformed", "a GeneralName that is no text");
  return { form, text, value: content };
}

const tagPermitted = 0xa0;
const tagExcluded = 0xa1;

function readNameConstraints(value: Uint8Array): NameConstraints {
  const reader = new DerReader(value);
  const fields = new DerReader(reader.expect(Tag.sequence, "nameConstraints").content);
  reader.end("nameConstraints");
  const permitted = readSubtrees(fields.optional(tagPermitted));
  const excluded = readSubtrees(fields.optional(tagExcluded));
  fields.end("nameConstraints");
  return { permitted, excluded };
}

function readSubtrees(element: Element | undefined): readonly GeneralName[] {
  if (element === undefined) return [];
  return childrenOf(element.content, mostNames, "GeneralSubtrees").map((subtree) => {
    const reader = new DerReader(subtree.content);
    const base = readGeneralName(reader.next());
    // RFC 5280 §4.2.1.10: minimum is 0 and maximum absent.
    if (!reader.atEnd) throw new X509Error("unsupported", "a name constraint with minimum or maximum");
    return base;
  });
}
