/** Which part of a response body a request is given (RFC 7959 §2.4), and the ETag that ties the parts together. */
import type { Block } from "./block-option.ts";
import type { BodySource } from "./message.ts";

export type SlicePlan =
  | { readonly kind: "whole" }
  | { readonly kind: "slice"; readonly offset: number; readonly length: number; readonly block: Block }
  /** The block asked for lies behind the end. */
  | { readonly kind: "beyond" };

/** `asked` is Block2 of the request; a peer that asks for smaller blocks gets them (RFC 7959 §2.4). */
export function planSlice(sizeBytes: number, asked: Block | undefined, preferredBlockBytes: number): SlicePlan {
  if (asked === undefined && sizeBytes <= preferredBlockBytes) return { kind: "whole" };
  const askedBytes = asked?.sizeBytes ?? preferredBlockBytes;
  const blockBytes = Math.min(askedBytes, preferredBlockBytes);
  const offset = (asked?.number ?? 0) * askedBytes;
  if (offset >= sizeBytes && offset > 0) return { kind: "beyond" };
  const length = Math.min(blockBytes, sizeBytes - offset);
  return {
    kind: "slice",
    offset,
    length,
    block: { number: offset / blockBytes, more: offset + length < sizeBytes, sizeBytes: blockBytes },
  };
}

export function isBodySource(payload: Uint8Array | BodySource): payload is BodySource {
  return !(payload instanceof Uint8Array);
}

/** Bodies are compared by content once, not once per block. */
const knownTags = new WeakMap<Uint8Array, Uint8Array>();
const tagBytes = 8;
const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;
const secondSeed = 0x9e3779b9;

/** Eight bytes that change with the content (RFC 7252 §5.10.6). The array must not change while it is served. */
export function etagOf(body: Uint8Array): Uint8Array {
  const known = knownTags.get(body);
  if (known !== undefined) return known;
  let first = fnvOffset ^ body.length;
  let second = secondSeed;
  for (const byte of body) {
    first = Math.imul(first ^ byte, fnvPrime);
    second = Math.imul(second + byte, fnvPrime) ^ (second >>> 15);
  }
  const tag = new Uint8Array(tagBytes);
  const view = new DataView(tag.buffer);
  view.setInt32(0, first);
  view.setInt32(4, second);
  knownTags.set(body, tag);
  return tag;
}
