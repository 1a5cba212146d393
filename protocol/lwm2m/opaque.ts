/** application/octet-stream, content format 42: one opaque value as it is (LwM2M Core 1.1 §7.4.2). */
import { Lwm2mFormatError } from "./format-error.ts";
import { onlyValue, singleValuePath, typeAt } from "./node.ts";
import type { DecodeContext } from "./payload-contract.ts";
import type { PathValue } from "./value.ts";

export function decodeOpaque(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const path = singleValuePath(context);
  const type = typeAt(path, context) ?? "opaque";
  if (type !== "opaque") throw new Lwm2mFormatError("value", `expected ${type}, got opaque bytes`);
  return [{ path, value: { type, value: new Uint8Array(payload) } }];
}

export function encodeOpaque(values: readonly PathValue[]): Uint8Array {
  const value = onlyValue(values);
  if (value.type !== "opaque") throw new Lwm2mFormatError("value", `octet-stream carries opaque values, not ${value.type}`);
  return new Uint8Array(value.value);
}
