/** Whether the names of a certificate lie within the constraints of its issuers (RFC 5280 §4.2.1.10, §6.1.4). */

import type { Certificate } from "./certificate.ts";
import { childrenOf, DerReader, equalBytes, Tag } from "./der.ts";
import { type GeneralName, type NameConstraints, NameForm } from "./extensions.ts";

/** Undefined when all is well, else what is wrong. */
export function findConstraintFault({ subject, extensions }: Certificate, { permitted, excluded }: NameConstraints): string | undefined {
  const names: GeneralName[] = [...extensions.alternativeNames];
  if (new DerReader(subject).next().content.length > 0) names.push({ form: NameForm.directory, text: undefined, value: subject });
  for (const name of names) {
    if (excluded.some((subtree) => lies(name, subtree) !== false)) return "a name that its issuer excludes";
    const ofForm = permitted.filter(({ form }) => form === name.form);
    if (ofForm.length > 0 && !ofForm.some((subtree) => lies(name, subtree) === true)) return "a name outside what its issuer permits";
  }
  return undefined;
}

/** Undefined for a form this reader cannot compare: neither permitted nor free of an exclusion. */
function lies(name: GeneralName, subtree: GeneralName): boolean | undefined {
  if (name.form !== subtree.form) return false;
  if (name.form === NameForm.dns) return isWithinDomain(name.text ?? "", subtree.text ?? "", true);
  if (name.form === NameForm.uri) return isUriWithin(name.text ?? "", subtree.text ?? "");
  if (name.form === NameForm.directory) return isNameWithin(name.value, subtree.value);
  return undefined;
}

function isWithinDomain(name: string, domain: string, hostCounts: boolean): boolean {
  const [host, base] = [name.toLowerCase(), domain.toLowerCase()];
  if (base === "") return true;
  if (base.startsWith(".")) return host.endsWith(base) && host.length > base.length;
  return host === base || (hostCounts && host.endsWith(`.${base}`));
}

/** The constraint is about the host part; a URI without one, `urn:…`, meets no constraint. */
function isUriWithin(uri: string, constraint: string): boolean | undefined {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:]+)/i.exec(uri)?.[1];
  return host === undefined ? undefined : isWithinDomain(host, constraint, false);
}

const mostParts = 32;

function isNameWithin(name: Uint8Array, subtree: Uint8Array): boolean {
  const partsOf = (der: Uint8Array) => childrenOf(new DerReader(der).expect(Tag.sequence, "Name").content, mostParts, "Name");
  const parts = partsOf(name);
  return partsOf(subtree).every(({ whole }, index) => {
    const part = parts[index];
    return part !== undefined && equalBytes(part.whole, whole);
  });
}
