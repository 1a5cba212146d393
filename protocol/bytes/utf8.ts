/** UTF-8 that came from a peer: valid or refused, never repaired (RFC 3629). */

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Names and labels are short ASCII; a decoder call costs more than reading them. */
const shortAsciiBytes = 24;

/** Undefined when the bytes are no UTF-8. */
export function findUtf8(bytes: Uint8Array): string | undefined {
  const short = shortAscii(bytes);
  if (short !== undefined) return short;
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function shortAscii(bytes: Uint8Array): string | undefined {
  if (bytes.length > shortAsciiBytes) return undefined;
  let text = "";
  for (const byte of bytes) {
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
