/**
 * The calls into OpenSSL. C believes every address and length it is told, so this module alone calls it: all bytes go through areas of one
 * block of memory that never moves, and every length is held against its area before the call.
 *
 * Nothing lives per connection: a cipher context per cipher and direction, made once, is given the key with every record, and keeps what
 * follows from the last. Nobody else runs between writing an area and reading the outcome; nothing here waits.
 */
import type { Cipher } from "../crypto/suites.ts";
import type { OpenSslLibrary } from "./openssl-library.ts";

export interface Area {
  readonly at: number;
  readonly bytes: number;
}

/** Where things lie in the memory, at multiples of 8. */
export const area = {
  /** Where OpenSSL writes how much it wrote. */
  lengths: { at: 0, bytes: 16 },
  /** As many bytes of it as the cipher has, 32 at most. */
  key: { at: 64, bytes: 64 },
  nonce: { at: 128, bytes: 64 },
  /** RFC 9146 §5: 23 bytes and an id of 255 at most. */
  additional: { at: 192, bytes: 320 },
  /** SHA256_CTX of openssl/sha.h: the state as eight words first. */
  hashContext: { at: 512, bytes: 128 },
  /** Where `sha256.ts` keeps states, and blocks to be hashed. */
  hashStates: { at: 640, bytes: 128 },
  hashBlocks: { at: 768, bytes: 256 },
  /** A(i) of the PRF and the seed, or a text, with its end. */
  hashText: { at: 1_024, bytes: 2_176 },
  /** Content that becomes ciphertext where it stands and back, with its tag; or a long text that is hashed. */
  record: { at: 4_096, bytes: 20_480 },
} as const satisfies { readonly [name: string]: Area };
export const memoryBytes = area.record.at + area.record.bytes;
const hashed: Area = { at: area.hashBlocks.at, bytes: memoryBytes - area.hashBlocks.at };

/** openssl/evp.h. */
const control = { setNonceBytes: 0x9, getTag: 0x10, setTag: 0x11 } as const;
const nonceBytes = 12;
const hashBlockBytes = 64;
/** NULL, or a choice left to OpenSSL. */
const none = 0;
const success = 1;

type AeadName = Exclude<Cipher, "aes-128-cbc">;

interface Aead {
  readonly isCcm: boolean;
  readonly tagBytes: number;
  readonly sealing: number;
  readonly opening: number;
}

export class NativeCalls {
  readonly memory: Uint8Array;
  readonly #address: number;
  readonly #functions: OpenSslLibrary["functions"];
  readonly #aeads: { readonly [name in AeadName]: Aead };

  /** Throws when OpenSSL lacks something. */
  constructor({ functions, memory, memoryAddress }: OpenSslLibrary) {
    if (memory.length < memoryBytes) throw new Error(`${memory.length} bytes of memory, ${memoryBytes} are needed`);
    this.memory = memory;
    this.#address = memoryAddress;
    this.#functions = functions;
    this.#aeads = {
      "aes-128-ccm-8": this.#aead("AES-128-CCM", 8),
      "aes-256-ccm-8": this.#aead("AES-256-CCM", 8),
      "aes-128-ccm": this.#aead("AES-128-CCM", 16),
      "aes-256-ccm": this.#aead("AES-256-CCM", 16),
      "aes-128-gcm": this.#aead("AES-128-GCM", 16),
      "aes-256-gcm": this.#aead("AES-256-GCM", 16),
    };
    if (functions.SHA256_Init(memoryAddress + area.hashContext.at) !== success) throw this.#refusal("begins no hash");
  }

  /**
   * Seals the content at the beginning of `record` where it stands, the tag behind it, under what is in `key`, `nonce` and `additional`.
   * Content there must be: what C makes of none is not the same for every cipher.
   */
  seal(cipher: AeadName, contentBytes: number, additionalBytes: number): void {
    const { isCcm, tagBytes, sealing } = this.#aeads[cipher];
    requireLengths(contentBytes, additionalBytes, tagBytes);
    const { EVP_CipherFinal_ex: finish, EVP_CIPHER_CTX_ctrl: ctrl } = this.#functions;
    const tag = this.#address + area.record.at + contentBytes;
    const sealed =
      this.#begin(sealing, 1, isCcm, contentBytes, additionalBytes) &&
      this.#cipher(sealing, contentBytes) &&
      (isCcm || finish(sealing, tag, this.#address) === success) &&
      ctrl(sealing, control.getTag, tagBytes, tag) === success;
    if (!sealed) throw this.#refusal("seals no record");
  }

  /** The way back: whether the tag behind the content is right. If not, nothing of the content is left. */
  open(cipher: AeadName, contentBytes: number, additionalBytes: number): boolean {
    const { isCcm, tagBytes, opening } = this.#aeads[cipher];
    requireLengths(contentBytes, additionalBytes, tagBytes);
    const { EVP_CipherFinal_ex: finish, EVP_CIPHER_CTX_ctrl: ctrl } = this.#functions;
    const tag = this.#address + area.record.at + contentBytes;
    // CCM judges the tag when it has the content, GCM at the end (NIST SP 800-38C §6.2, SP 800-38D §7.2).
    const isRight =
      ctrl(opening, control.setTag, tagBytes, tag) === success &&
      this.#begin(opening, 0, isCcm, contentBytes, additionalBytes) &&
      this.#cipher(opening, contentBytes) &&
      (isCcm || finish(opening, tag, this.#address) === success);
    if (isRight) return true;
    this.memory.fill(0, area.record.at, area.record.at + contentBytes);
    // What it notes about failures would be read as one of the next call of node:crypto.
    this.#functions.ERR_clear_error();
    return false;
  }

  /** Takes whole blocks from there into the state in `hashContext`; they lie between `hashBlocks` and the end of the memory. */
  hash(at: number, bytes: number): void {
    requireWithin(hashed, at - hashed.at, bytes);
    if (bytes % hashBlockBytes !== 0) throw new Error(`${bytes} bytes are no whole blocks`);
    const { SHA256_Update: update } = this.#functions;
    if (update(this.#address + area.hashContext.at, this.#address + at, bytes) !== success) throw this.#refusal("hashes nothing");
  }

  #begin(context: number, sealing: 0 | 1, isCcm: boolean, contentBytes: number, additionalBytes: number): boolean {
    const { EVP_CipherInit_ex2: init, EVP_CipherUpdate: update } = this.#functions;
    const address = this.#address;
    return (
      init(context, none, address + area.key.at, address + area.nonce.at, sealing, none) === success &&
      // CCM has to know the length before the additional data (NIST SP 800-38C §A.2).
      (!isCcm || update(context, none, address, none, contentBytes) === success) &&
      update(context, none, address, address + area.additional.at, additionalBytes) === success
    );
  }

  #cipher(context: number, bytes: number): boolean {
    const record = this.#address + area.record.at;
    return this.#functions.EVP_CipherUpdate(context, record, this.#address + area.lengths.at, record, bytes) === success;
  }

  #aead(name: string, tagBytes: number): Aead {
    const isCcm = name.endsWith("CCM");
    const cipher = this.#made(this.#functions.EVP_CIPHER_fetch(none, name, none));
    const context = (sealing: 0 | 1): number => {
      const { EVP_CIPHER_CTX_new: make, EVP_CipherInit_ex2: init, EVP_CIPHER_CTX_ctrl: ctrl } = this.#functions;
      const made = this.#made(make());
      const ready =
        init(made, cipher, none, none, sealing, none) === success &&
        ctrl(made, control.setNonceBytes, nonceBytes, none) === success &&
        // How long tags are, CCM has to know before the key.
        (!isCcm || ctrl(made, control.setTag, tagBytes, none) === success);
      if (!ready) throw this.#refusal(`does not know ${name}`);
      return made;
    };
    return { isCcm, tagBytes, sealing: context(1), opening: context(0) };
  }

  #made(handle: number): number {
    if (handle === none) throw this.#refusal("lacks something");
    return handle;
  }

  #refusal(what: string): Error {
    this.#functions.ERR_clear_error();
    return new Error(`OpenSSL ${what}`);
  }
}

function requireLengths(contentBytes: number, additionalBytes: number, tagBytes: number): void {
  requireWithin(area.record, 0, contentBytes + tagBytes);
  requireWithin(area.additional, 0, additionalBytes);
  if (contentBytes < 1) throw new Error(`a record with content of ${contentBytes} bytes`);
}

/** A whole number of bytes from there on lies in the area. */
function requireWithin(where: Area, from: number, bytes: number): void {
  const fits = from >>> 0 === from && bytes >>> 0 === bytes && from + bytes <= where.bytes;
  if (!fits) throw new Error(`${bytes} bytes from ${from} of ${where.bytes}`);
}
