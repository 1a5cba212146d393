/** Typed resource values (LwM2M Core 1.1 appendix C). Integers are bigint throughout: 64 bits never pass through a double. */
import type { Lwm2mPath } from "./path.ts";

export type ResourceType = "string" | "integer" | "unsigned" | "float" | "boolean" | "opaque" | "time" | "objlnk" | "corelnk";

export type ResourceValue =
  | { readonly type: "string"; readonly value: string }
  /** −2^63 to 2^63−1. */
  | { readonly type: "integer"; readonly value: bigint }
  /** 0 to 2^64−1. */
  | { readonly type: "unsigned"; readonly value: bigint }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "opaque"; readonly value: Uint8Array }
  /** Seconds since the Unix epoch; may be negative. */
  | { readonly type: "time"; readonly value: bigint }
  /** 65535:65535 is the null link. */
  | { readonly type: "objlnk"; readonly value: { readonly objectId: number; readonly instanceId: number } }
  | { readonly type: "corelnk"; readonly value: string };

/**
 * One node of a payload, in every format: a resource or resource instance with its value, or, without a value, an instance or
 * multi-instance resource that exists and is empty. A multi-instance resource is one node per resource instance.
 */
export interface PathValue {
  readonly path: Lwm2mPath;
  readonly value?: ResourceValue;
  /** When the device took it, milliseconds since the Unix epoch; absent when the payload does not say. */
  readonly timeMs?: number;
}

/** What a codec must know of a resource to read its bytes; undefined where no model knows it. */
export type ResourceTypeLookup = (
  objectId: number,
  resourceId: number,
) => { readonly type: ResourceType; readonly multiple: boolean } | undefined;
