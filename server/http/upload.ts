/** Reads a body that is no JSON, up to a bound. */
import type { Readable } from "node:stream";

/** What is left of a body that is too large is read and dropped, so that the answer finds its reader and the connection its next request. */
export function readUpload(stream: Readable, maxBytes: number): Promise<Uint8Array | "too-large"> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    stream.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      resolve("too-large");
    });
    stream.once("end", () => resolve(size > maxBytes ? "too-large" : Buffer.concat(chunks)));
    stream.once("error", reject);
    // After an end it changes nothing: the promise is settled.
    stream.once("close", () => reject(new Error("the body broke off")));
  });
}
