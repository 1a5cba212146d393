/**
 * The calls into OpenSSL. C believes every address and length it is told, so this module alone calls it: all bytes go through areas of one
 * block of memory that never moves, and every length is held against its area before the call.
 *
 * Nothing lives per connection: a cipher context per cipher and direction and a MAC context per hash, made once, are given the key with
 * every record and every secret. Nobody else runs between writing an area and reading the outcome; nothing here waits.
 */
import type { Cipher, PrfHash } from "../crypto/suites.ts";
import type { OpenSslLibrary } from "./openssl-library.ts";

export interface Area {
  readonly at: number;
  readonly bytes: number;
}

/** Where things lie in the memory. */
export const area = {
  /** Where OpenSSL writes how much it wrote. */
  lengths: { at: 0, bytes: 16 },
  parameters: { at: 64, bytes: 192 },
  key: { at: 256, bytes: 64 },
  nonce: { at: 320, bytes: 64 },
  /** RFC 9146 §5: 23 bytes and an id of 255 at most. */
  additional: { at: 384, bytes: 320 },
  /** The premaster secret of a key and an agreed secret of 64 bytes each is 132. */
  macKey: { at: 704, bytes: 320 },
  /** A(i), then the seed; or a text. */
  macText: { at: 1_024, bytes: 2_048 },
  macs: { at: 3_072, bytes: 1_024 },
  /** Content that becomes ciphertext where it stands and back, with its tag; or what is hashed. */
  record: { at: 4_096, bytes: 20_480 },
} as const satisfies { readonly [name: string]: Area };
export const memoryBytes = area.record.at + area.record.bytes;

/** OSSL_PARAM of openssl/core.h on 64-bit: name, type, place, size of what is handed over, size of what was handed back. */
const parameter = { bytes: 40, typeAt: 8, placeAt: 16, sizeAt: 24, textType: 4 } as const;
/** openssl/evp.h. */
const control = { setNonceBytes: 0x9, getTag: 0x10, setTag: 0x11 } as const;
const nonceBytes = 12;
/** NULL, or a choice left to OpenSSL. */
const none = 0;
const success = 1;

type AeadName = Exclude<Cipher, "aes-128-cbc">;

interface Aead {
  readonly isCcm: boolean;
  readonly keyBytes: number;
  readonly tagBytes: number;
  readonly sealing: number;
  readonly opening: number;
}

interface Hash {
  readonly bytes: number;
  readonly digest: number;
  readonly mac: number;
}

export class NativeCalls {
  readonly memory: Uint8Array;
  readonly #address: number;
  readonly #functions: OpenSslLibrary["functions"];
  readonly #aeads: { readonly [name in AeadName]: Aead };
  readonly #hashes: { readonly [name in PrfHash]: Hash };

  /** Throws when OpenSSL lacks something. */
  constructor({ functions, memory, memoryAddress }: OpenSslLibrary) {
    if (memory.length < memoryBytes) throw new Error(`${memory.length} bytes of memory, ${memoryBytes} are needed`);
    this.memory = memory;
    this.#address = memoryAddress;
    this.#functions = functions;
    this.#aeads = {
      "aes-128-ccm-8": this.#aead("AES-128-CCM", 16, 8),
      "aes-256-ccm-8": this.#aead("AES-256-CCM", 32, 8),
      "aes-128-ccm": this.#aead("AES-128-CCM", 16, 16),
      "aes-256-ccm": this.#aead("AES-256-CCM", 32, 16),
      "aes-128-gcm": this.#aead("AES-128-GCM", 16, 16),
      "aes-256-gcm": this.#aead("AES-256-GCM", 32, 16),
    };
    this.#hashes = { sha256: this.#hash("SHA256", 32), sha384: this.#hash("SHA384", 48) };
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

  hashBytes(hash: PrfHash): number {
    return this.#hashes[hash].bytes;
  }

  /** The hash of so many bytes of `record`, to the beginning of `macs`. */
  digest(hash: PrfHash, bytes: number): void {
    requireWithin(area.record, 0, bytes);
    const { digest } = this.#hashes[hash];
    const [from, to] = [this.#address + area.record.at, this.#address + area.macs.at];
    if (this.#functions.EVP_Digest(from, bytes, to, none, digest, none) !== success) throw this.#refusal("hashes nothing");
  }

  /** Takes the key of so many bytes for the MACs that follow; `endMacs` forgets it. */
  beginMacs(hash: PrfHash, keyBytes: number): void {
    requireWithin(area.macKey, 0, keyBytes);
    this.#takeMacKey(hash, this.#address + area.macKey.at, keyBytes);
  }

  /** The MAC of so many bytes of `macText`, to somewhere in it or in `macs`. Every one but the first after `beginMacs` is told so. */
  mac(hash: PrfHash, isFirst: boolean, text: Area, to: number): void {
    const { bytes, mac } = this.#hashes[hash];
    requireWithin(area.macText, text.at - area.macText.at, text.bytes);
    requireWithin({ at: area.macText.at, bytes: area.macText.bytes + area.macs.bytes }, to - area.macText.at, bytes);
    const { EVP_MAC_init: init, EVP_MAC_update: update, EVP_MAC_final: finish } = this.#functions;
    const made =
      (isFirst || init(mac, none, 0, none) === success) &&
      update(mac, this.#address + text.at, text.bytes) === success &&
      finish(mac, this.#address + to, this.#address + area.lengths.at, bytes) === success;
    if (!made) throw this.#refusal("makes no MAC");
  }

  /** Overwrites the key in its area and in the context, and so many bytes of `macs`. */
  endMacs(hash: PrfHash, keyBytes: number, macsBytes: number): void {
    requireWithin(area.macKey, 0, keyBytes);
    requireWithin(area.macs, 0, macsBytes);
    this.memory.fill(0, area.macKey.at, area.macKey.at + keyBytes);
    this.memory.fill(0, area.macs.at, area.macs.at + macsBytes);
    this.#takeMacKey(hash, this.#address + area.macKey.at, 1);
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

  #takeMacKey(hash: PrfHash, address: number, bytes: number): void {
    if (this.#functions.EVP_MAC_init(this.#hashes[hash].mac, address, bytes, none) !== success) throw this.#refusal("takes no key");
  }

  #aead(name: string, keyBytes: number, tagBytes: number): Aead {
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
    return { isCcm, keyBytes, tagBytes, sealing: context(1), opening: context(0) };
  }

  #hash(name: string, bytes: number): Hash {
    const { EVP_MD_fetch: fetchDigest, EVP_MAC_fetch: fetchMac, EVP_MAC_CTX_new: makeMac, EVP_MAC_init: init } = this.#functions;
    const digest = this.#made(fetchDigest(none, name, none));
    const mac = this.#made(makeMac(this.#made(fetchMac(none, "HMAC", none))));
    this.#writeDigestParameter(name);
    const keyed = init(mac, this.#address + area.macKey.at, 1, this.#address + area.parameters.at);
    if (keyed !== success) throw this.#refusal(`makes no HMAC with ${name}`);
    return { bytes, digest, mac };
  }

  /** `{ "digest": name }` and the end of the list, each text behind them. */
  #writeDigestParameter(name: string): void {
    const { at, bytes } = area.parameters;
    const view = new DataView(this.memory.buffer, this.memory.byteOffset + at, bytes);
    const [keyAt, nameAt] = [2 * parameter.bytes, 2 * parameter.bytes + 16];
    this.memory.fill(0, at, at + bytes);
    this.memory.set(Buffer.from("digest"), at + keyAt);
    this.memory.set(Buffer.from(name), at + nameAt);
    view.setBigUint64(0, BigInt(this.#address + at + keyAt), true);
    view.setUint32(parameter.typeAt, parameter.textType, true);
    view.setBigUint64(parameter.placeAt, BigInt(this.#address + at + nameAt), true);
    view.setBigUint64(parameter.sizeAt, BigInt(name.length), true);
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
