/**
 * UTF-8 that came from a peer: valid or refused, never repaired (RFC 3629).
 *
 * On the path of every payload. Names and labels are short ASCII and the same ones come again with every message: those seen lately are
 * kept, so that a name that comes again is compared with its bytes instead of being built anew.
 */

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Names and labels are short ASCII; a decoder call costs more than reading them. */
const shortAsciiBytes = 24;
/** A power of two. Peers can do no more than push each other's names out: what is found is always compared in full. */
const keptNames = 512;
const kept: string[] = new Array<string>(keptNames).fill("");

/** Undefined when the bytes are no UTF-8. */
export function findUtf8(bytes: Uint8Array): string | undefined {
  return findUtf8Between(bytes, 0, bytes.length);
}

/** As `findUtf8` for the bytes from `start` up to `end`, which the caller has checked to be there. */
export function findUtf8Between(bytes: Uint8Array, start: number, end: number): string | undefined {
  const short = end - start > shortAsciiBytes ? undefined : shortAscii(bytes, start, end);
  if (short !== undefined) return short;
  try {
    return strictDecoder.decode(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
  } catch {
    return undefined;
  }
}

function shortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let hash = end - start;
  let all = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    all |= byte;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (all > 0x7f) return undefined;
  const slot = (hash ^ (hash >>> 9)) & (keptNames - 1);
  const name = kept[slot] ?? "";
  if (isSame(name, bytes, start, end)) return name;
  const text = asciiText(bytes, start, end);
  kept[slot] = text;
  return text;
}

function isSame(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) !== bytes[start + at]) return false;
  return true;
}

function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}
