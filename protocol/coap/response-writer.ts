/** A response or notification as bytes, its options in ascending order (RFC 7252 §3.1). */
import { type Block, encodeBlock } from "./block-option.ts";
import type { CoapOption } from "./message.ts";
import type { MessageWriter } from "./message-writer.ts";
import { OptionNumber } from "./options.ts";

export interface ResponseHead {
  readonly type: number;
  readonly messageId: number;
  readonly token: Uint8Array;
}

/** One message's worth of a response: the payload is the slice that goes out now. */
export interface ResponsePart {
  readonly code: number;
  readonly contentFormat?: number | undefined;
  readonly locationPath?: readonly string[] | undefined;
  readonly maxAgeSeconds?: number | undefined;
  readonly etag?: Uint8Array | undefined;
  readonly observe?: number | undefined;
  readonly block1?: Block | undefined;
  readonly block2?: Block | undefined;
  readonly size1?: number | undefined;
  readonly size2?: number | undefined;
  readonly options?: readonly CoapOption[] | undefined;
  readonly payload?: Uint8Array | undefined;
}

/** A view of the writer's buffer, valid until its next message. */
export function writeResponse(writer: MessageWriter, head: ResponseHead, part: ResponsePart): Uint8Array {
  writer.begin(head.type, part.code, head.messageId, head.token);
  if (part.options !== undefined) writer.weave(part.options);
  if (part.etag !== undefined) writer.opaque(OptionNumber.etag, part.etag);
  if (part.observe !== undefined) writer.uint(OptionNumber.observe, part.observe);
  if (part.locationPath !== undefined) for (const segment of part.locationPath) writer.text(OptionNumber.locationPath, segment);
  if (part.contentFormat !== undefined) writer.uint(OptionNumber.contentFormat, part.contentFormat);
  if (part.maxAgeSeconds !== undefined) writer.uint(OptionNumber.maxAge, part.maxAgeSeconds);
  if (part.block2 !== undefined) writer.uint(OptionNumber.block2, encodeBlock(part.block2));
  if (part.block1 !== undefined) writer.uint(OptionNumber.block1, encodeBlock(part.block1));
  if (part.size2 !== undefined) writer.uint(OptionNumber.size2, part.size2);
  if (part.size1 !== undefined) writer.uint(OptionNumber.size1, part.size1);
  if (part.payload !== undefined) writer.payload(part.payload);
  return writer.finish();
}
