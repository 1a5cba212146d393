/**
 * The emulator's own firmware package: one header line, then the content.
 *
 *   LWM2M-FW <name> <version> <sha256 of the content, hex>\n<content>
 */
import { createHash } from "node:crypto";

export interface FirmwarePackage {
  readonly name: string;
  readonly version: string;
  readonly contentBytes: number;
}

/** `result` is the value of /5/0/5 that tells the server what is wrong (object 5). */
export type PackageVerdict = { readonly ok: true; readonly package: FirmwarePackage } | { readonly ok: false; readonly result: number };

export const UpdateResult = {
  initial: 0,
  success: 1,
  notEnoughFlash: 2,
  outOfMemory: 3,
  connectionLost: 4,
  integrityFailure: 5,
  unsupportedPackage: 6,
  invalidUri: 7,
  updateFailed: 8,
  unsupportedProtocol: 9,
  cancelled: 10,
} as const;

/** A header line is short; without its end within this many bytes the file is of another type. */
const longestHeaderBytes = 256;
const newline = 0x0a;
/** Name and version: printable without spaces, so that the header splits at spaces. */
const wordPattern = /^[\x21-\x7e]{1,64}$/;

/** Throws `RangeError` when name or version cannot stand in the header. */
export function makePackage(name: string, version: string, content: Uint8Array): Uint8Array {
  for (const word of [name, version]) {
    if (!wordPattern.test(word))
      throw new RangeError(`name and version are 1 to 64 printable characters without spaces, got ${JSON.stringify(word)}`);
  }
  const header = new TextEncoder().encode(`LWM2M-FW ${name} ${version} ${digestOf(content)}\n`);
  const bytes = new Uint8Array(header.length + content.length);
  bytes.set(header);
  bytes.set(content, header.length);
  return bytes;
}

/** What the device makes of a package it has received whole. */
export function inspectPackage(bytes: Uint8Array, flashBytes: number): PackageVerdict {
  if (bytes.length > flashBytes) return { ok: false, result: UpdateResult.notEnoughFlash };
  const end = bytes.subarray(0, longestHeaderBytes).indexOf(newline);
  if (end < 0) return { ok: false, result: UpdateResult.unsupportedPackage };
  const header = new TextDecoder().decode(bytes.subarray(0, end));
  const [magic, name, version, digest, ...rest] = header.split(" ");
  if (magic !== "LWM2M-FW" || rest.length > 0 || name === undefined || version === undefined || digest === undefined) {
    return { ok: false, result: UpdateResult.unsupportedPackage };
  }
  if (!wordPattern.test(name) || !wordPattern.test(version)) return { ok: false, result: UpdateResult.unsupportedPackage };
  const content = bytes.subarray(end + 1);
  if (digestOf(content) !== digest.toLowerCase()) return { ok: false, result: UpdateResult.integrityFailure };
  return { ok: true, package: { name, version, contentBytes: content.length } };
}

function digestOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
