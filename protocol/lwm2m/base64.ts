/** Base64 in both alphabets (RFC 4648 §4, §5). */

/** Padded, as text/plain and JSON 11543 carry opaque values (LwM2M Core 1.1 §7.4.1). */
export function encodeBase64(bytes: Uint8Array): string {
  return bufferOver(bytes).toString("base64");
}

/** URL-safe and unpadded, as SenML JSON carries them (RFC 8428 §5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return bufferOver(bytes).toString("base64url");
}

export interface Base64Bytes {
  readonly bytes: Uint8Array;
  /** `either`: the text reads the same in both forms, padding and letters. */
  readonly form: "padded" | "url" | "either" | "mixed";
}

/** Accepts both alphabets, with and without padding; undefined for anything else, whitespace included. */
export function findBase64(text: string): Base64Bytes | undefined {
  const match = /^([A-Za-z0-9+/_-]*)(={0,2})$/.exec(text);
  if (match === null) return undefined;
  const [, letters = "", padding = ""] = match;
  if (letters.length % 4 === 1 || (padding !== "" && (letters.length + padding.length) % 4 !== 0)) return undefined;
  return { bytes: new Uint8Array(Buffer.from(letters, "base64")), form: formOf(letters, padding) };
}

function formOf(letters: string, padding: string): Base64Bytes["form"] {
  const standard = !/[-_]/.test(letters) && (letters.length + padding.length) % 4 === 0;
  const url = !/[+/]/.test(letters) && padding === "";
  if (standard) return url ? "either" : "padded";
  return url ? "url" : "mixed";
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
