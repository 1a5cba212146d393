/**
 * Record protection on node:crypto: a cipher object per record, because what is kept between records would cost 2 to 4 kB of native memory
 * per connection. CBC is in `cbc-protection.ts`.
 */
import { type CipherCCMTypes, type CipherGCMTypes, createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { Random } from "../../ports/random.ts";
import { writeEpochAndSequence } from "../wire/record-header.ts";
import { type CipherKey, openCbc, sealCbc } from "./cbc-protection.ts";
import { additionalData, innerTypeAt, type KeyPlace, type RecordFacts, type RecordProtection, recordNonce } from "./record-protection.ts";
import type { Cipher } from "./suites.ts";

/**
 * How a key is handed to OpenSSL. On Node 24 raw bytes cost more than ten microseconds a record; on every other version a `KeyObject`
 * costs one more than they do.
 */
export type KeyForm = "bytes" | "key-object";

export interface NodeRecordProtectionNeeds {
  /** IVs of CBC. */
  readonly random: Random;
  /** Default "bytes". */
  readonly keyForm?: KeyForm;
}

type Aead =
  | { readonly mode: "ccm"; readonly name: CipherCCMTypes; readonly options: { readonly authTagLength: number } }
  | { readonly mode: "gcm"; readonly name: CipherGCMTypes; readonly options: { readonly authTagLength: number } };

const aeads: { readonly [name in Cipher]: Aead | undefined } = {
  "aes-128-ccm-8": { mode: "ccm", name: "aes-128-ccm", options: { authTagLength: 8 } },
  "aes-256-ccm-8": { mode: "ccm", name: "aes-256-ccm", options: { authTagLength: 8 } },
  "aes-128-ccm": { mode: "ccm", name: "aes-128-ccm", options: { authTagLength: 16 } },
  "aes-256-ccm": { mode: "ccm", name: "aes-256-ccm", options: { authTagLength: 16 } },
  "aes-128-gcm": { mode: "gcm", name: "aes-128-gcm", options: { authTagLength: 16 } },
  "aes-256-gcm": { mode: "gcm", name: "aes-256-gcm", options: { authTagLength: 16 } },
  "aes-128-cbc": undefined,
};

/** CCM has to know the length before the additional data (NIST SP 800-38C §A.2). Reused. */
const ahead = { plaintextLength: 0 };
const failed = -1;
/** V8 keeps the bytes of typed arrays up to this size beside the object. */
const largestHeapBytes = 64;
/** OpenSSL takes an empty text for one only where it has an address: CCM makes no tag for an array of length 0 without memory. */
const nothing = Buffer.alloc(1).subarray(0, 0);

export function nodeRecordProtection({ random, keyForm = "bytes" }: NodeRecordProtectionNeeds): RecordProtection {
  const keyOf: (keys: KeyPlace) => CipherKey = keyForm === "bytes" ? keyBytes : keyObject;
  return {
    seal(keys, facts, plaintext, at, length, out, outAt) {
      const aead = aeads[keys.suite.cipher];
      const explicitBytes = keys.suite.explicitNonceBytes;
      const contentAt = outAt + explicitBytes;
      let content = length === 0 ? nothing : contentIn(plaintext, at, length, out, contentAt);
      if (facts.connectionIdBytes > 0) content = innerPlaintext(content, facts.contentType, out, contentAt);
      if (aead === undefined) return sealCbc(keys, facts, keyOf(keys), random.bytes(explicitBytes), content, out.subarray(outAt));
      writeEpochAndSequence(out, outAt, facts.epoch, facts.sequence);
      const nonce = recordNonce(keys, out, outAt);
      const cipher =
        aead.mode === "ccm"
          ? createCipheriv(aead.name, keyOf(keys), nonce, aead.options)
          : createCipheriv(aead.name, keyOf(keys), nonce, aead.options);
      ahead.plaintextLength = content.length;
      cipher.setAAD(additionalData(facts, content.length), ahead);
      const sealed = cipher.update(content);
      cipher.final();
      out.set(sealed, contentAt);
      out.set(cipher.getAuthTag(), contentAt + sealed.length);
      return explicitBytes + sealed.length + aead.options.authTagLength;
    },
    open(keys, facts, bytes, at, length, out, outAt) {
      const aead = aeads[keys.suite.cipher];
      const fragment = bytes.subarray(at, at + length);
      const key = keyOf(keys);
      const content = aead === undefined ? openCbc(keys, facts, key, fragment) : openAead(keys, facts, aead, key, fragment);
      return content === undefined ? failed : deliver(content, facts, out, outAt);
    },
  };
}

function openAead(
  keys: KeyPlace,
  facts: RecordFacts,
  aead: Aead,
  key: Uint8Array | KeyObject,
  fragment: Uint8Array,
): Uint8Array | undefined {
  const explicitBytes = keys.suite.explicitNonceBytes;
  const contentBytes = fragment.length - explicitBytes - aead.options.authTagLength;
  if (contentBytes < 0) return undefined;
  const nonce = recordNonce(keys, fragment, 0);
  const decipher =
    aead.mode === "ccm" ? createDecipheriv(aead.name, key, nonce, aead.options) : createDecipheriv(aead.name, key, nonce, aead.options);
  decipher.setAuthTag(fragment.subarray(explicitBytes + contentBytes));
  ahead.plaintextLength = contentBytes;
  decipher.setAAD(additionalData(facts, contentBytes), ahead);
  const content = decipher.update(fragment.subarray(explicitBytes, explicitBytes + contentBytes));
  try {
    decipher.final();
  } catch {
    // What `final` throws about is the tag: key, nonce and lengths were taken without complaint before.
    return undefined;
  }
  return content;
}

/**
 * Small arrays lie in the heap: native code has memory made for each first, which costs more than to copy the content where the
 * ciphertext will stand.
 */
function contentIn(plaintext: Uint8Array, at: number, length: number, out: Uint8Array, outAt: number): Uint8Array {
  if (plaintext.length > largestHeapBytes || length < plaintext.length) return plaintext.subarray(at, at + length);
  out.set(plaintext, outAt);
  return out.subarray(outAt, outAt + length);
}

/** Takes the inner type off a record with connection id (RFC 9146 §4) and copies the content where it is wanted. */
function deliver(content: Uint8Array, facts: RecordFacts, out: Uint8Array, outAt: number): number {
  if (facts.connectionIdBytes === 0) {
    out.set(content, outAt);
    return content.length;
  }
  const typeAt = innerTypeAt(content, 0, content.length);
  if (typeAt < 0) return failed;
  facts.contentType = content[typeAt] ?? 0;
  out.set(content.subarray(0, typeAt), outAt);
  return typeAt;
}

/** Content and type where the ciphertext will stand; a plaintext that is there already is not moved. */
function innerPlaintext(content: Uint8Array, type: number, out: Uint8Array, at: number): Uint8Array {
  const isInPlace = content.buffer === out.buffer && content.byteOffset === out.byteOffset + at;
  if (!isInPlace) out.set(content, at);
  out[at + content.length] = type;
  return out.subarray(at, at + content.length + 1);
}

function keyBytes({ bytes, keyAt, suite }: KeyPlace): Uint8Array {
  return bytes.subarray(keyAt, keyAt + suite.keyBytes);
}

function keyObject(keys: KeyPlace): KeyObject {
  return createSecretKey(keyBytes(keys));
}
