/** Reads a JSON body: media type, size, encoding, syntax and depth, each with its own answer. */
import { isUtf8 } from "node:buffer";
import express, { type Request, type Response } from "express";
import type { Json } from "../storage/collection.ts";
import { findJsonFault } from "./json-fault.ts";
import type { Problem } from "./problem.ts";
import type { Checked } from "./request-schema.ts";

/** Levels of arrays and objects: the deepest body of this API has four. */
export const maxJsonDepth = 32;

export type ReadJsonBody = (request: Request, response: Response) => Promise<Checked<Json | undefined>>;

export function hasBody(request: Request): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
}

/** Of an upload that names the media types it takes; the bytes are taken as they come, so no Content-Encoding either. */
export function findUploadProblem(request: Request, mediaTypes: readonly string[]): Problem | undefined {
  const expected = mediaTypes.join(" or ");
  if (!hasBody(request)) return { type: "bad-request", detail: `got no body, expected ${expected}` };
  const { "content-type": got = "", "content-encoding": encoding = "identity" } = request.headers;
  if (encoding !== "identity") return { type: "unsupported-media-type", detail: "send this body without Content-Encoding" };
  if (mediaTypes.includes(got.split(";", 1)[0]?.trim().toLowerCase() ?? "")) return undefined;
  const named = got === "" ? "no Content-Type" : `Content-Type ${JSON.stringify(got.slice(0, 80))}`;
  return { type: "unsupported-media-type", detail: `got ${named}, expected ${expected}` };
}

export function jsonBodyReader(limitBytes: number): ReadJsonBody {
  const readRaw = express.raw({ limit: limitBytes, type: () => true });
  return async (request, response) => {
    if (!hasBody(request)) return { ok: true, value: undefined };
    const mediaType = request.headers["content-type"] ?? "";
    if (!/^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(mediaType)) {
      const got = mediaType === "" ? "no Content-Type" : `Content-Type ${JSON.stringify(mediaType.slice(0, 80))}`;
      return refused("unsupported-media-type", `got ${got}, expected application/json`);
    }
    const failure = await new Promise<unknown>((resolve) => {
      readRaw(request, response, resolve);
    });
    if (failure !== undefined) return readFailure(failure, limitBytes);
    const bytes: unknown = request.body;
    return bytes instanceof Uint8Array && bytes.length > 0 ? parseJsonBody(bytes) : { ok: true, value: undefined };
  };
}

export function parseJsonBody(bytes: Uint8Array): Checked<Json> {
  if (!isUtf8(bytes)) return refused("bad-request", "the body is not UTF-8 (RFC 8259 §8.1)");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  if (depthOf(text) > maxJsonDepth) return refused("bad-request", `the body nests deeper than ${maxJsonDepth} levels`);
  try {
    const value: Json = JSON.parse(text);
    return { ok: true, value };
  } catch {
    const fault = findJsonFault(text);
    const where = fault === undefined ? "" : `: expected ${fault.expected} at position ${fault.offset}`;
    return refused("bad-request", `the body is not JSON${where}`);
  }
}

/** An upper bound that needs no parse: brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (inString) {
      if (character === "\\") i += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return deepest;
}

/** What the body reader of express reports, by its stable `type`. */
function readFailure(failure: unknown, limitBytes: number): Checked<never> {
  const kind = failure !== null && typeof failure === "object" && "type" in failure ? failure.type : undefined;
  switch (kind) {
    case "entity.too.large":
      return refused("body-too-large", `the body is larger than ${limitBytes} bytes (setting HTTP_BODY_BYTES)`);
    case "encoding.unsupported":
      return refused("unsupported-media-type", "this Content-Encoding is not taken; send gzip, deflate, br or none");
    case "request.aborted":
      return refused("bad-request", "the body ended early");
    case "request.size.invalid":
      return refused("bad-request", "the body is not as long as Content-Length says");
    default:
      // zlib's faults have no type: the encoding was announced, the bytes are something else.
      return refused("bad-request", "the body cannot be decoded as its Content-Encoding says");
  }
}

function refused(type: Problem["type"], detail: string): Checked<never> {
  return { ok: false, problem: { type, detail } };
}
