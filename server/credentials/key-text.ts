/** Keys and certificates as people paste them: base64, or PEM with one block. Nothing of them stands in an error. */
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";

/** What is wrong where, by JSON pointer (RFC 6901). */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

/** Strict, padded (RFC 4648 §4): a mistyped key must not become a shorter one. */
export function readBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}

/** DER from PEM (RFC 7468) with exactly one block, of this label, or from base64. Throws `X509Error`. */
export function readDer(text: string, label: "PUBLIC KEY" | "CERTIFICATE"): Uint8Array {
  const found = text.includes("-----") ? onlyBlock(text, label) : text.replaceAll(/\s/g, "");
  const der = readBase64(found);
  if (der === undefined || der.length === 0) throw new X509Error("malformed", `expected PEM (${label}) or base64 of DER`);
  return der;
}

function onlyBlock(pem: string, label: string): string {
  const [block, ...more] = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g)];
  if (block === undefined || more.length > 0) throw new X509Error("malformed", `expected one PEM block (${label})`);
  const [, found = "", base64 = ""] = block;
  // Somebody pasted the wrong file: a private key must not go on from here.
  if (found !== label) throw new X509Error("malformed", `expected a PEM block ${label}, not ${found.slice(0, 40)}`);
  return base64.replaceAll(/\s/g, "");
}
