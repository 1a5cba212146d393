import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import { refused } from "../answer.ts";
import { encodeValues } from "../payload-door.ts";
import type { ObjectTree } from "../tree/object-tree.ts";

/** A notification's content; several targets, or the root, have absolute names. */
export function contentAnswer(
  tree: ObjectTree,
  target: readonly CompositePath[],
  values: readonly PathValue[],
  contentFormat: number,
): OutgoingResponse {
  const [only] = target;
  const path = target.length > 1 || only === "/" ? undefined : only;
  const encoded = encodeValues(tree, path, values, contentFormat);
  return encoded.ok ? { code: ResponseCode.content, contentFormat, payload: encoded.bytes } : refused(encoded);
}
