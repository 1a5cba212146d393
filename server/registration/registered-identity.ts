/** What a device proved when it registered, as it is kept and shown: enough to know it again, nothing that is secret. */
import { createHash } from "node:crypto";
import type { PeerIdentity } from "@lwm2m/protocol/coap/message";
import type { Json } from "../storage/collection.ts";

export type RegisteredIdentity =
  | { readonly kind: "none" }
  /** Base64: opaque bytes (RFC 4279 §5.1). */
  | { readonly kind: "psk"; readonly identity: string }
  /** Hex, of the SubjectPublicKeyInfo. */
  | { readonly kind: "rpk"; readonly publicKeySha256: string }
  | {
      readonly kind: "x509";
      /** Hex, of the leaf. */
      readonly certificateSha256: string;
      readonly commonName: string | null;
      readonly dnsNames: readonly string[];
      readonly uris: readonly string[];
    };

export function registeredIdentity(identity: PeerIdentity): RegisteredIdentity {
  switch (identity.kind) {
    case "none":
      return { kind: "none" };
    case "psk":
      return { kind: "psk", identity: Buffer.from(identity.identity).toString("base64") };
    case "rpk":
      return { kind: "rpk", publicKeySha256: sha256(identity.publicKey) };
    case "x509": {
      const { certificate, commonName, dnsNames, uris } = identity;
      return {
        kind: "x509",
        certificateSha256: sha256(certificate),
        commonName: commonName ?? null,
        dnsNames: [...dnsNames],
        uris: [...uris],
      };
    }
  }
}

/** For REST, events and the log: a PSK identity as text where it is one. */
export function identityView(identity: RegisteredIdentity): { readonly [field: string]: Json } {
  if (identity.kind !== "psk") return { ...identity };
  const bytes = Buffer.from(identity.identity, "base64");
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text).equals(bytes) && !unprintable.test(text);
  return isText ? { kind: "psk", identity: text } : { kind: "psk", identityBase64: identity.identity };
}

const unprintable = /[\p{Cc}\p{Cn}\p{Cs}]/u;

/** Whether what a device proves now is what it registered with. A certificate may have been renewed: its names say who it is. */
export function isSameIdentity(registered: RegisteredIdentity, now: PeerIdentity): boolean {
  const other = registeredIdentity(now);
  switch (registered.kind) {
    case "none":
      return other.kind === "none";
    case "psk":
      return other.kind === "psk" && other.identity === registered.identity;
    case "rpk":
      return other.kind === "rpk" && other.publicKeySha256 === registered.publicKeySha256;
    case "x509":
      return other.kind === "x509";
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
