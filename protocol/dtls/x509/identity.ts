/** What a verified certificate says about who holds it, and whether a server is the one that was meant. */
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import type { Certificate } from "./certificate.ts";
import { NameForm } from "./extensions.ts";

/** `anchorSha256` is of the anchor's SubjectPublicKeyInfo. Owns its bytes. */
export function identityOf({ der, commonName, extensions }: Certificate, anchorSha256: Uint8Array | undefined): SecureIdentity {
  const textsOf = (wanted: number) =>
    extensions.alternativeNames.flatMap(({ form, text }) => (form === wanted && text !== undefined ? [text] : []));
  return {
    kind: "x509",
    certificate: Uint8Array.from(der),
    commonName,
    dnsNames: textsOf(NameForm.dns),
    uris: textsOf(NameForm.uri),
    anchorSha256,
  };
}

/**
 * RFC 6125 §6.4: a dNSName that is equal, or has one wildcard as its whole first label; an address by iPAddress only. The common name
 * counts only for a certificate without any dNSName (§6.4.4), which is what devices' servers still have.
 */
export function isNamed({ commonName, extensions }: Certificate, host: string): boolean {
  const address = addressBytes(host);
  if (address !== undefined) {
    return extensions.alternativeNames.some(({ form, value }) => form === NameForm.ip && Buffer.from(value).equals(address));
  }
  const names = extensions.alternativeNames.flatMap(({ form, text }) => (form === NameForm.dns && text !== undefined ? [text] : []));
  if (names.length === 0) return commonName !== undefined && matchesHost(commonName, host);
  return names.some((name) => matchesHost(name, host));
}

function matchesHost(pattern: string, host: string): boolean {
  const [wanted, name] = [pattern.toLowerCase(), host.toLowerCase().replace(/\.$/, "")];
  if (!wanted.startsWith("*.")) return wanted === name;
  const dot = name.indexOf(".");
  return dot > 0 && name.slice(dot) === wanted.slice(1) && wanted.indexOf(".", 2) > 0;
}

function addressBytes(host: string): Uint8Array | undefined {
  const dotted = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (dotted !== null) return Uint8Array.from(dotted.slice(1).map(Number));
  return host.includes(":") ? ip6Bytes(host) : undefined;
}

/** RFC 4291 §2.2 forms 1 and 2. */
function ip6Bytes(text: string): Uint8Array {
  const [left = "", right] = text.split("::");
  const groupsOf = (part: string | undefined) =>
    part === undefined || part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [head, tail] = [groupsOf(left), groupsOf(right)];
  const gap = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...new Array<number>(gap).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [(group >> 8) & 0xff, group & 0xff]));
}
