/** The package server: `GET /fw/{token}` by Block2, a block at a time from the file, nothing held in between (RFC 7959 §2.4). */
import { Buffer } from "node:buffer";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { BodySource, OutgoingResponse, RequestHandler } from "@lwm2m/protocol/coap/message";
import type { Blob } from "../storage/store.ts";
import type { PackageService } from "./package-service.ts";
import { type FirmwareUpdate, finalStates } from "./update.ts";
import type { UpdateService } from "./update-service.ts";

/** Downloads under way whose update and file are kept at hand; one more and the oldest is looked up again. */
const rememberedDownloads = 1_000;
/** Milliseconds: how long a remembered update may be out of date when another process ended it. */
const rememberedForMs = 10_000;
const etagBytes = 8;

interface Download {
  readonly update: FirmwareUpdate;
  readonly blob: Blob;
  readonly at: number;
}

export function packageHandler(dependencies: {
  readonly updates: Pick<UpdateService, "findByToken" | "noteServed" | "onEnded">;
  readonly packages: Pick<PackageService, "open">;
  readonly now: () => number;
}): RequestHandler {
  const { updates, packages, now } = dependencies;
  const downloads = new Map<string, Download>();
  updates.onEnded(({ downloadToken }) => {
    downloads.delete(downloadToken);
  });

  async function findDownload(token: string): Promise<Download | undefined> {
    const remembered = downloads.get(token);
    if (remembered !== undefined && now() - remembered.at < rememberedForMs) return remembered;
    downloads.delete(token);
    const update = await updates.findByToken(token);
    if (update === undefined || finalStates.includes(update.state)) return undefined;
    const blob = await packages.open(update.sha256);
    if (blob === undefined) return undefined;
    const download: Download = { update, blob, at: now() };
    downloads.set(token, download);
    const [oldest] = downloads.keys();
    if (downloads.size > rememberedDownloads && oldest !== undefined) downloads.delete(oldest);
    return download;
  }

  return async (request): Promise<OutgoingResponse> => {
    const [, token, ...rest] = request.path;
    if (token === undefined || rest.length > 0) return { code: ResponseCode.notFound };
    if (request.method !== Method.get) return { code: ResponseCode.methodNotAllowed };
    if (request.accept !== undefined && request.accept !== ContentFormat.opaque) return { code: ResponseCode.notAcceptable };
    const download = await findDownload(token);
    if (download === undefined) return { code: ResponseCode.notFound };
    return { code: ResponseCode.content, contentFormat: ContentFormat.opaque, payload: bodyOf(download) };
  };

  function bodyOf({ update, blob }: Download): BodySource {
    return {
      sizeBytes: blob.sizeBytes,
      etag: new Uint8Array(Buffer.from(blob.sha256, "hex").subarray(0, etagBytes)),
      async read(offset, length): Promise<Uint8Array> {
        const bytes = await blob.read(offset, length);
        updates.noteServed(update, offset + length);
        return bytes;
      },
    };
  }
}
