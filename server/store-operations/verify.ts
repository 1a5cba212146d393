/** Reads everything once: the engine's own check where it has one, every document's blob, every blob's digest. */
import { createHash } from "node:crypto";
import type { FirmwarePackage } from "../firmware/package.ts";
import { packageCollection } from "../firmware/package-store.ts";
import type { Blob, Store } from "../storage/store.ts";
import { allDocuments } from "./all-documents.ts";

export const pieceBytes = 256 * 1024;

/** What is wrong, one line each. */
export async function findFaults(store: Store & { verify?(): Promise<readonly string[]> }): Promise<readonly string[]> {
  const faults = [...((await store.verify?.()) ?? [])];
  // The database itself is damaged: what else could be read of it says nothing.
  if (faults.length > 0) return faults;
  for await (const { name, version, sha256 } of allDocuments<FirmwarePackage>(store.collection(packageCollection))) {
    const blob = await store.blobs.find(sha256);
    if (blob === undefined) faults.push(`the content of package ${name} ${version} is missing (blob ${sha256})`);
    else if ((await digestOf(blob)) !== sha256) faults.push(`the content of package ${name} ${version} is damaged (blob ${sha256})`);
  }
  return faults;
}

async function digestOf(blob: Blob): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of piecesOf(blob)) hash.update(piece);
  return hash.digest("hex");
}

export async function* piecesOf(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.sizeBytes; at += pieceBytes) yield blob.read(at, Math.min(pieceBytes, blob.sizeBytes - at));
}
