/** Authorities whose certificates devices may show, and how the endpoint name is read from such a certificate. Pure. */
import { parseCertificate } from "@lwm2m/protocol/dtls/x509/certificate";
import { trustAnchorOf } from "@lwm2m/protocol/dtls/x509/verify-chain";
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Realm } from "../security/device-credentials.ts";
import type { CollectionDefinition, Json } from "../storage/collection.ts";
import { credentialLimits, findEndpointFault, type Read, realmIn, sha256Hex } from "./credential.ts";
import { type Entry, entryIndexes } from "./entry-store.ts";
import { readDer } from "./key-text.ts";

/** The part of the certificate that holds the endpoint name (LwM2M Core 1.1 §7.3.1 leaves it to the deployment). */
export type NameSource = "commonName" | "dnsName" | "uri";

export const nameSources: readonly NameSource[] = ["commonName", "dnsName", "uri"];

export interface EndpointRule {
  readonly source: NameSource;
  /** Only names that begin with it; they are this authority's alone and refused over plain CoAP. Empty for any name. */
  readonly prefix: string;
}

export interface TrustAnchorEntry extends Entry, EndpointRule {
  /** Base64 of DER. `lookup` is the SHA-256 of its SubjectPublicKeyInfo. */
  readonly certificate: string;
}

export const trustAnchorCollection: CollectionDefinition = { name: "trustAnchors", indexes: entryIndexes };

export interface TrustAnchorRequest extends EndpointRule {
  readonly realm: Realm;
  readonly certificate: Uint8Array;
}

/** From a body that fits the schema. */
export function readTrustAnchor(body: { readonly [member: string]: Json }): Read<TrustAnchorRequest> {
  const source = nameSources.find((name) => name === body["endpointFrom"]) ?? "commonName";
  const prefix = String(body["prefix"] ?? "");
  if (prefix !== "" && findEndpointFault(prefix) !== undefined) {
    return {
      ok: false,
      faults: [{ pointer: "/prefix", detail: `expected at most ${credentialLimits.endpointBytes} bytes of an endpoint name` }],
    };
  }
  try {
    const certificate = readDer(String(body["certificate"]), "CERTIFICATE");
    trustAnchorOf(certificate);
    return { ok: true, value: { realm: realmIn(body), certificate, source, prefix } };
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    return { ok: false, faults: [{ pointer: "/certificate", detail: error.message }] };
  }
}

export function anchorLookup(certificate: Uint8Array): string {
  return sha256Hex(parseCertificate(certificate).publicKey);
}

/** The one name the rule finds. Undefined for none, and for several: which one would then be the sender's choice. */
export function endpointBy({ source, prefix }: EndpointRule, identity: SecureIdentity & { readonly kind: "x509" }): string | undefined {
  const names = namesOf(identity, source).filter((name) => name.startsWith(prefix) && findEndpointFault(name) === undefined);
  const [name, ...others] = new Set(names);
  return others.length === 0 ? name : undefined;
}

function namesOf({ commonName, dnsNames, uris }: SecureIdentity & { readonly kind: "x509" }, source: NameSource): readonly string[] {
  switch (source) {
    case "commonName":
      return commonName === undefined ? [] : [commonName];
    case "dnsName":
      return dnsNames;
    case "uri":
      return uris;
  }
}
