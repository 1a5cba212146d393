/** Single CBOR values and the small conversions under them (RFC 8949 §3.3, §3.4). */

/** A value that is no container. An `integer` is a bigint only where a double would not be exact. `decimal` is mantissa · 10^exponent (tag 4); `date` is the text of tag 0. */
export type CborScalar =
  | { readonly kind: "integer"; readonly value: number | bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "decimal"; readonly mantissa: bigint; readonly exponent: bigint }
  | { readonly kind: "text" | "date"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" };

export type CborKind = "integer" | "bytes" | "text" | "array" | "map" | "tag" | "simple";

const kinds: readonly CborKind[] = ["integer", "integer", "bytes", "text", "array", "map", "tag", "simple"];

/** What an initial byte begins (RFC 8949 §3.1). */
export function kindOf(initial: number): CborKind {
  return kinds[initial >> 5] ?? "simple";
}

/** An integer from −24 to 23 in the initial byte itself. */
export function isShortInteger(initial: number): boolean {
  return initial >> 5 <= 1 && (initial & 0x1f) < 24;
}

/** A number where that is exact. */
export function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Big-endian, of any length. */
export function unsignedOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Half precision (RFC 8949 appendix D): 1 sign, 5 exponent, 10 fraction bits. */
export function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}
