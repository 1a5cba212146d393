/** The cipher suites this side can speak, and all the rest of the code asks about one (RFC 5246 §6.3 and the RFC of each block). */
import type { KeyExchange } from "../messages.ts";

export type Cipher = "aes-128-ccm-8" | "aes-256-ccm-8" | "aes-128-ccm" | "aes-256-ccm" | "aes-128-gcm" | "aes-256-gcm" | "aes-128-cbc";
export type PrfHash = "sha256" | "sha384";

/** What a cipher needs of the key block and adds to a record, bytes. */
export interface CipherSizes {
  readonly keyBytes: number;
  readonly macKeyBytes: number;
  /** The implicit part of the nonce, from the key block. */
  readonly ivBytes: number;
  /** Of the AEAD tag, or of the MAC. */
  readonly tagBytes: number;
  /** In front of the ciphertext: the explicit nonce, or the IV of CBC. */
  readonly explicitNonceBytes: number;
}

export interface Suite extends CipherSizes {
  readonly id: number;
  /** As IANA has it, without `TLS_`. */
  readonly name: string;
  readonly keyExchange: KeyExchange;
  readonly prfHash: PrfHash;
  readonly cipher: Cipher;
  /** False for CBC: the only kind that encrypt_then_mac changes (RFC 7366 §3). */
  readonly aead: boolean;
}

const aead = { macKeyBytes: 0, ivBytes: 4, explicitNonceBytes: 8 } as const;

/** RFC 5116 §5, RFC 6655 §3 (CCM), RFC 5288 §3 (GCM), RFC 5246 §6.2.3.2 (CBC with HMAC-SHA256). */
const sizesOf: { readonly [name in Cipher]: CipherSizes } = {
  "aes-128-ccm-8": { ...aead, keyBytes: 16, tagBytes: 8 },
  "aes-256-ccm-8": { ...aead, keyBytes: 32, tagBytes: 8 },
  "aes-128-ccm": { ...aead, keyBytes: 16, tagBytes: 16 },
  "aes-256-ccm": { ...aead, keyBytes: 32, tagBytes: 16 },
  "aes-128-gcm": { ...aead, keyBytes: 16, tagBytes: 16 },
  "aes-256-gcm": { ...aead, keyBytes: 32, tagBytes: 16 },
  "aes-128-cbc": { keyBytes: 16, macKeyBytes: 32, ivBytes: 0, tagBytes: 32, explicitNonceBytes: 16 },
};

const suites: readonly Suite[] = [
  // RFC 6655 §3, §4.
  suite(0xc0a4, "PSK_WITH_AES_128_CCM", "psk", "aes-128-ccm"),
  suite(0xc0a5, "PSK_WITH_AES_256_CCM", "psk", "aes-256-ccm"),
  suite(0xc0a8, "PSK_WITH_AES_128_CCM_8", "psk", "aes-128-ccm-8"),
  suite(0xc0a9, "PSK_WITH_AES_256_CCM_8", "psk", "aes-256-ccm-8"),
  // RFC 5487 §2, §3.
  suite(0x00a8, "PSK_WITH_AES_128_GCM_SHA256", "psk", "aes-128-gcm"),
  suite(0x00a9, "PSK_WITH_AES_256_GCM_SHA384", "psk", "aes-256-gcm", "sha384"),
  suite(0x00ae, "PSK_WITH_AES_128_CBC_SHA256", "psk", "aes-128-cbc"),
  // RFC 8442 §3, RFC 5489 §3.1.
  suite(0xd001, "ECDHE_PSK_WITH_AES_128_GCM_SHA256", "ecdhe_psk", "aes-128-gcm"),
  suite(0xd002, "ECDHE_PSK_WITH_AES_256_GCM_SHA384", "ecdhe_psk", "aes-256-gcm", "sha384"),
  suite(0xd003, "ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", "ecdhe_psk", "aes-128-ccm-8"),
  suite(0xd005, "ECDHE_PSK_WITH_AES_128_CCM_SHA256", "ecdhe_psk", "aes-128-ccm"),
  suite(0xc037, "ECDHE_PSK_WITH_AES_128_CBC_SHA256", "ecdhe_psk", "aes-128-cbc"),
  // RFC 7251 §2.
  suite(0xc0ac, "ECDHE_ECDSA_WITH_AES_128_CCM", "ecdhe_ecdsa", "aes-128-ccm"),
  suite(0xc0ad, "ECDHE_ECDSA_WITH_AES_256_CCM", "ecdhe_ecdsa", "aes-256-ccm"),
  suite(0xc0ae, "ECDHE_ECDSA_WITH_AES_128_CCM_8", "ecdhe_ecdsa", "aes-128-ccm-8"),
  suite(0xc0af, "ECDHE_ECDSA_WITH_AES_256_CCM_8", "ecdhe_ecdsa", "aes-256-ccm-8"),
  // RFC 5289 §3.1, §3.2.
  suite(0xc023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ecdhe_ecdsa", "aes-128-cbc"),
  suite(0xc02b, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ecdhe_ecdsa", "aes-128-gcm"),
  suite(0xc02c, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ecdhe_ecdsa", "aes-256-gcm", "sha384"),
  suite(0xc027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ecdhe_rsa", "aes-128-cbc"),
  suite(0xc02f, "ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ecdhe_rsa", "aes-128-gcm"),
  suite(0xc030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ecdhe_rsa", "aes-256-gcm", "sha384"),
];

const byId: ReadonlyMap<number, Suite> = new Map(suites.map((each) => [each.id, each]));

/** Undefined for one that is not spoken here, signals among the suites included. */
export function suiteOf(id: number): Suite | undefined {
  return byId.get(id);
}

export function everySuite(): readonly Suite[] {
  return suites;
}

function suite(id: number, name: string, keyExchange: KeyExchange, cipher: Cipher, prfHash: PrfHash = "sha256"): Suite {
  return { id, name, keyExchange, prfHash, cipher, aead: cipher !== "aes-128-cbc", ...sizesOf[cipher] };
}
