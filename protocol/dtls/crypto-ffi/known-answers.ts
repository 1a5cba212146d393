/** Published outcomes: a back end that gives them all is what it says it is. */
import type { Cipher, PrfHash } from "../crypto/suites.ts";

export interface HashAnswer {
  readonly hash: PrfHash;
  readonly text: string;
  readonly digest: string;
}

export interface MacAnswer {
  readonly hash: PrfHash;
  readonly key: string;
  readonly text: string;
  readonly mac: string;
}

export interface PrfAnswer {
  readonly hash: PrfHash;
  readonly secret: string;
  readonly seed: string;
  readonly output: string;
}

export interface AeadAnswer {
  readonly cipher: Exclude<Cipher, "aes-128-cbc">;
  readonly key: string;
  readonly nonce: string;
  readonly additional: string;
  readonly content: string;
  /** With the tag. */
  readonly sealed: string;
}

/** FIPS 180-4, the examples of one block. */
export const hashAnswers: readonly HashAnswer[] = [
  { hash: "sha256", text: "616263", digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
  {
    hash: "sha384",
    text: "616263",
    digest: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  },
];

/** RFC 4231 §4.2, §4.3, §4.7: a usual key, a short one, and one longer than a block. */
export const macAnswers: readonly MacAnswer[] = [
  {
    hash: "sha256",
    key: "0b".repeat(20),
    text: "4869205468657265",
    mac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  },
  {
    hash: "sha384",
    key: "4a656665",
    text: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    mac: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
  },
  {
    hash: "sha256",
    key: "aa".repeat(131),
    text: "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
    mac: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  },
];

/** The vectors of the TLS working group's list for RFC 5246 §5, as OpenSSL's TLS1-PRF gives them too. The label is "test label". */
export const prfAnswers: readonly PrfAnswer[] = [
  {
    hash: "sha256",
    secret: "9bbe436ba940f017b17652849a71db35",
    seed: "a0ba9f936cda311827a6f796ffd5198c",
    output:
      "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab" +
      "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
  },
  {
    hash: "sha384",
    secret: "b80b733d6ceefcdc71566ea48e5567df",
    seed: "cd665cf6a8447dd6ff8b27555edb7465",
    output:
      "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd" +
      "8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee6" +
      "91c8f3a26854308d5eaa3be85e0990703d73e56f",
  },
];

/** NIST SP 800-38C example 3, and case 4 of the GCM specification. */
export const aeadAnswers: readonly AeadAnswer[] = [
  {
    cipher: "aes-128-ccm-8",
    key: "404142434445464748494a4b4c4d4e4f",
    nonce: "101112131415161718191a1b",
    additional: "000102030405060708090a0b0c0d0e0f10111213",
    content: "202122232425262728292a2b2c2d2e2f3031323334353637",
    sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951",
  },
  {
    cipher: "aes-128-gcm",
    key: "feffe9928665731c6d6a8f9467308308",
    nonce: "cafebabefacedbaddecaf888",
    additional: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    content: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    sealed:
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
      "5bc94fbc3221a5db94fae95ae7121a47",
  },
];
