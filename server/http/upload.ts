/** Reads a body that is no JSON, up to a bound. */
import type { Readable } from "node:stream";

/** What is left of a body that is too large is read and dropped, so that the answer finds its reader. */
export async function readUpload(stream: Readable, maxBytes: number): Promise<Uint8Array | "too-large"> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) throw new Error("a body of bytes was read as text");
    size += chunk.length;
    if (size > maxBytes) {
      stream.resume();
      return "too-large";
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
