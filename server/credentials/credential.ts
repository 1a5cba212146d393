/** Credentials of devices: what one proves to be, as a key or a certificate, and the endpoint name that stands for. Pure. */
import { createHash } from "node:crypto";
import { parseCertificate } from "@lwm2m/protocol/dtls/x509/certificate";
import { importPublicKey } from "@lwm2m/protocol/dtls/x509/certificate-signature";
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Realm } from "../security/device-credentials.ts";
import type { CollectionDefinition, Json } from "../storage/collection.ts";
import { type Entry, entryIndexes } from "./entry-store.ts";
import { type Fault, readBase64, readDer } from "./key-text.ts";

export type CredentialKind = "psk" | "rpk" | "x509";

export interface Credential extends Entry {
  readonly endpoint: string;
  readonly kind: CredentialKind;
  /** Base64 of the PSK identity, of SubjectPublicKeyInfo or of the certificate: what the device shows. */
  readonly shown: string;
}

export const credentialCollection: CollectionDefinition = {
  name: "credentials",
  indexes: [...entryIndexes, { name: "endpoint", fields: ["endpoint", "realm"] }],
};

/** The field of a PSK that is sealed. */
export const pskField = "key";

export interface CredentialRequest {
  readonly realm: Realm;
  readonly endpoint: string;
  readonly kind: CredentialKind;
  readonly shown: Uint8Array;
  /** Of a PSK; undefined keeps the one there is. */
  readonly key: Uint8Array | undefined;
}

export const credentialLimits = {
  /** LwM2M Transport 1.1 §5.2.8.1, RFC 7925 §4.2: what every server must take. */
  pskIdentityBytes: 128,
  /** Below, a recorded handshake gives the key away to a search (RFC 7925 §4.2 asks for 128 bits of entropy). */
  leastPskBytes: 16,
  mostPskBytes: 64,
  /** A name has to fit one CoAP option of a query (RFC 7252 §5.10: 255 bytes). */
  endpointBytes: 250,
} as const;

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly Fault[] };

/** From a body that fits the schema. No fault shows a value that may be a key. */
export function readCredential(body: { readonly [member: string]: Json }): Read<CredentialRequest> {
  const faults: Fault[] = [];
  const kind = body["kind"] as CredentialKind; // By the schema.
  const endpoint = String(body["endpoint"]);
  const nameFault = findEndpointFault(endpoint);
  if (nameFault !== undefined) faults.push({ pointer: "/endpoint", detail: nameFault });
  for (const [member, owner] of ownMembers) {
    if (body[member] !== undefined && owner !== kind)
      faults.push({ pointer: `/${member}`, detail: `goes with kind ${owner}, not with ${kind}` });
  }
  const shown = kind === "psk" ? readIdentity(body, faults) : readShown(body, kind, faults);
  const key = kind === "psk" ? readPsk(body, faults) : undefined;
  if (faults.length > 0 || shown === undefined) return { ok: false, faults };
  return { ok: true, value: { realm: realmIn(body), endpoint, kind, shown, key } };
}

const ownMembers: readonly (readonly [string, CredentialKind])[] = [
  ["identity", "psk"],
  ["identityBase64", "psk"],
  ["key", "psk"],
  ["keyHex", "psk"],
  ["publicKey", "rpk"],
  ["certificate", "x509"],
];

export function realmIn(body: { readonly [member: string]: Json }): Realm {
  return body["realm"] === "bootstrap" ? "bootstrap" : "server";
}

/** Undefined for a name a device can have. */
export function findEndpointFault(endpoint: string): string | undefined {
  const { endpointBytes } = credentialLimits;
  if (endpoint === "" || Buffer.byteLength(endpoint) > endpointBytes) return `expected an endpoint name of 1 to ${endpointBytes} bytes`;
  return /[\p{Cc}\p{Cs}]/u.test(endpoint) ? "expected an endpoint name without control characters" : undefined;
}

function readIdentity(body: { readonly [member: string]: Json }, faults: Fault[]): Uint8Array | undefined {
  const { identity, identityBase64 } = body;
  if ((identity === undefined) === (identityBase64 === undefined)) {
    faults.push({ pointer: "", detail: "expected either identity or identityBase64" });
    return undefined;
  }
  const bytes = identity === undefined ? readBase64(String(identityBase64)) : new TextEncoder().encode(String(identity));
  if (bytes !== undefined && bytes.length >= 1 && bytes.length <= credentialLimits.pskIdentityBytes) return bytes;
  const pointer = identity === undefined ? "/identityBase64" : "/identity";
  faults.push({ pointer, detail: `expected ${identity === undefined ? "base64 of " : ""}1 to ${credentialLimits.pskIdentityBytes} bytes` });
  return undefined;
}

function readPsk(body: { readonly [member: string]: Json }, faults: Fault[]): Uint8Array | undefined {
  const { key, keyHex } = body;
  if (key === undefined && keyHex === undefined) return undefined;
  const { leastPskBytes, mostPskBytes } = credentialLimits;
  const pointer = key === undefined ? "/keyHex" : "/key";
  if (key !== undefined && keyHex !== undefined) {
    faults.push({ pointer: "/keyHex", detail: "expected either key or keyHex" });
    return undefined;
  }
  const bytes = key === undefined ? readHex(String(keyHex)) : readBase64(String(key));
  if (bytes === undefined)
    faults.push({ pointer, detail: `expected ${key === undefined ? "hexadecimal digits" : "base64 (RFC 4648 §4)"}` });
  else if (bytes.length < leastPskBytes)
    faults.push({ pointer, detail: `got ${bytes.length} bytes, expected at least ${leastPskBytes}: a shorter key can be found by search` });
  else if (bytes.length > mostPskBytes)
    faults.push({ pointer, detail: `got ${bytes.length} bytes, expected at most ${mostPskBytes}: devices hold no more` });
  return bytes;
}

function readHex(text: string): Uint8Array | undefined {
  return /^([0-9a-fA-F]{2})*$/.test(text) ? new Uint8Array(Buffer.from(text, "hex")) : undefined;
}

function readShown(body: { readonly [member: string]: Json }, kind: "rpk" | "x509", faults: Fault[]): Uint8Array | undefined {
  const member = kind === "rpk" ? "publicKey" : "certificate";
  const text = body[member];
  if (text === undefined) {
    faults.push({ pointer: "", detail: `${member} is missing` });
    return undefined;
  }
  try {
    const der = readDer(String(text), kind === "rpk" ? "PUBLIC KEY" : "CERTIFICATE");
    importPublicKey(kind === "rpk" ? der : parseCertificate(der).publicKey);
    return der;
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    faults.push({ pointer: `/${member}`, detail: error.message });
    return undefined;
  }
}

export function lookupOf(kind: CredentialKind, shown: Uint8Array): string {
  return kind === "psk" ? `psk:${Buffer.from(shown).toString("base64")}` : `${kind}:${sha256Hex(shown)}`;
}

/** Where the credential of an identity is found; undefined for a certificate under an anchor, which has none. */
export function lookupFor(identity: SecureIdentity): string | undefined {
  switch (identity.kind) {
    case "psk":
      return lookupOf("psk", identity.identity);
    case "rpk":
      return lookupOf("rpk", identity.publicKey);
    case "x509":
      return identity.anchorSha256 === undefined ? lookupOf("x509", identity.certificate) : undefined;
  }
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
