/**
 * AES-128-CBC with HMAC-SHA256 (RFC 5246 §6.2.3.2), MAC after encryption (RFC 7366) or before it. The latter cannot be made constant-time
 * in this language: what is done (one answer for all faults, padding judged without branches, the MAC always computed, hash blocks
 * evened out) narrows the oracle of Lucky Thirteen and does not close it. So these suites are opt-in, and encrypt_then_mac is preferred.
 */
import { createCipheriv, createDecipheriv, hash as digest, type KeyObject, timingSafeEqual } from "node:crypto";
import { hmac } from "./hmac.ts";
import { additionalData, type KeyPlace, padded, type RecordFacts } from "./record-protection.ts";

const ivBytes = 16;
const blockBytes = 16;
const macBytes = 32;
const hashBlockBytes = 64;
/** The bit, and the length, that end a hashed message (FIPS 180-4 §5.1.1). */
const hashEndBytes = 9;
/** Padding with its length byte. */
const mostPadding = 256;

/** `suite.keyBytes` from `keyAt`, in whichever form is cheap here. */
export type CipherKey = Uint8Array | KeyObject;

/** `content` may lie in `out` where the ciphertext will stand. Returns the length of the fragment. */
export function sealCbc(keys: KeyPlace, facts: RecordFacts, key: CipherKey, iv: Uint8Array, content: Uint8Array, out: Uint8Array): number {
  const mac = keys.encryptThenMac ? undefined : macOf(keys, facts, content.length, content);
  const plain = Buffer.alloc(padded(content.length + (mac?.length ?? 0)));
  plain.set(content);
  if (mac !== undefined) plain.set(mac, content.length);
  const filled = content.length + (mac?.length ?? 0);
  plain.fill(plain.length - filled - 1, filled);
  const encrypted = createCipheriv("aes-128-cbc", key, iv).setAutoPadding(false).update(plain);
  out.set(iv);
  out.set(encrypted, ivBytes);
  const end = ivBytes + encrypted.length;
  if (!keys.encryptThenMac) return end;
  out.set(macOf(keys, facts, end, out.subarray(0, end)), end);
  return end + macBytes;
}

/** The content with its inner type, undefined for whatever does not authenticate. */
export function openCbc(keys: KeyPlace, facts: RecordFacts, key: CipherKey, fragment: Uint8Array): Uint8Array | undefined {
  const end = keys.encryptThenMac ? fragment.length - macBytes : fragment.length;
  const least = ivBytes + (keys.encryptThenMac ? blockBytes : padded(macBytes));
  if (end < least || (end - ivBytes) % blockBytes !== 0) return undefined;
  if (keys.encryptThenMac) {
    const mac = macOf(keys, facts, end, fragment.subarray(0, end));
    if (!timingSafeEqual(mac, fragment.subarray(end))) return undefined;
  }
  const decipher = createDecipheriv("aes-128-cbc", key, fragment.subarray(0, ivBytes)).setAutoPadding(false);
  const plain = decipher.update(fragment.subarray(ivBytes, end));
  const macRoom = keys.encryptThenMac ? 0 : macBytes;
  const padding = paddingOf(plain, macRoom);
  if (keys.encryptThenMac) return padding === 0 ? undefined : plain.subarray(0, plain.length - padding);
  return checkedContent(keys, facts, plain, padding);
}

/** MAC before encryption: a record with bad padding goes through the MAC as if it had the least (RFC 5246 §6.2.3.2). */
function checkedContent(keys: KeyPlace, facts: RecordFacts, plain: Uint8Array, padding: number): Uint8Array | undefined {
  const contentBytes = plain.length - macBytes - Math.max(padding, 1);
  const mac = macOf(keys, facts, contentBytes, plain.subarray(0, contentBytes));
  const ahead = additionalData(facts, contentBytes).length;
  const missing = hashBlocks(ahead + plain.length - macBytes - 1) - hashBlocks(ahead + contentBytes);
  digest("sha256", new Uint8Array((missing + 1) * hashBlockBytes - hashEndBytes), "buffer");
  const isRight = timingSafeEqual(mac, plain.subarray(contentBytes, contentBytes + macBytes));
  return isRight && padding > 0 ? plain.subarray(0, contentBytes) : undefined;
}

/** Bytes of padding with its length byte, 0 when it is bad. Looks at the same bytes whatever they say. */
function paddingOf(plain: Uint8Array, macRoom: number): number {
  const size = plain[plain.length - 1] ?? 0;
  let difference = size + 1 + macRoom > plain.length ? 1 : 0;
  const looked = Math.min(mostPadding, plain.length);
  for (let i = 1; i <= looked; i++) {
    const isPadding = ((i - size - 2) >> 31) & 0xff;
    difference |= ((plain[plain.length - i] ?? 0) ^ size) & isPadding;
  }
  return difference === 0 ? size + 1 : 0;
}

function macOf(keys: KeyPlace, facts: RecordFacts, length: number, bytes: Uint8Array): Buffer {
  const macKey = keys.bytes.subarray(keys.macKeyAt, keys.macKeyAt + keys.suite.macKeyBytes);
  return hmac("sha256", macKey, additionalData(facts, length), bytes);
}

function hashBlocks(messageBytes: number): number {
  return Math.ceil((messageBytes + hashEndBytes) / hashBlockBytes);
}
