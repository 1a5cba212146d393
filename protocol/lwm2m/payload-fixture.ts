import { formatPath, parsePath } from "./path.ts";
import { decodePayload } from "./payload.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { type PayloadVector, receivedAtMs, typeOf } from "./payload-vectors.ts";
import type { PathValue } from "./value.ts";

export function contextOf(path?: string): DecodeContext {
  return { typeOf, nowMs: receivedAtMs, ...(path === undefined ? {} : { path: parsePath(path) }) };
}

export function bytesOf(vector: Pick<PayloadVector, "hex" | "text">): Uint8Array {
  return new Uint8Array(vector.text === undefined ? Buffer.from((vector.hex ?? "").replaceAll(" ", ""), "hex") : Buffer.from(vector.text));
}

export function decodeTextual(
  format: number,
  path: string | undefined,
  payload: string,
  extra: Partial<DecodeContext> = {},
): readonly PathValue[] {
  return decodePayload(format, new Uint8Array(Buffer.from(payload)), { ...contextOf(path), ...extra });
}

export function decodeHex(format: number, path: string | undefined, hex: string, extra: Partial<DecodeContext> = {}): readonly PathValue[] {
  return decodePayload(format, bytesOf({ hex }), { ...contextOf(path), ...extra });
}

export function sorted(values: readonly PathValue[]): readonly PathValue[] {
  return values.toSorted((a, b) => formatPath(a.path).localeCompare(formatPath(b.path)));
}
