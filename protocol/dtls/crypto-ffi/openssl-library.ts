/** What is called of OpenSSL 3's libcrypto, as C sees it. Whoever binds it does so by this table; nothing else has names or types of C. */

/** Addresses and sizes are numbers: user space ends far below 2^53. */
export type NativeType = "address" | "size" | "int" | "text" | "nothing";

export interface NativeSignature {
  readonly returns: NativeType;
  readonly takes: readonly NativeType[];
}

export const librarySignatures = {
  SHA256_Init: { returns: "int", takes: ["address"] },
  SHA256_Update: { returns: "int", takes: ["address", "address", "size"] },
  EVP_CIPHER_fetch: { returns: "address", takes: ["address", "text", "address"] },
  EVP_CIPHER_CTX_new: { returns: "address", takes: [] },
  EVP_CIPHER_CTX_ctrl: { returns: "int", takes: ["address", "int", "int", "address"] },
  EVP_CipherInit_ex2: { returns: "int", takes: ["address", "address", "address", "address", "int", "address"] },
  EVP_CipherUpdate: { returns: "int", takes: ["address", "address", "address", "address", "int"] },
  EVP_CipherFinal_ex: { returns: "int", takes: ["address", "address", "address"] },
  ERR_clear_error: { returns: "nothing", takes: [] },
} as const satisfies { readonly [name: string]: NativeSignature };

export type LibraryFunction = keyof typeof librarySignatures;

export interface OpenSslLibrary {
  /** A wrong number ends the process: only `native-calls.ts` calls them. */
  readonly functions: { readonly [name in LibraryFunction]: (...values: readonly (number | string)[]) => number };
  /** Zeros, outside the heap that the collector moves things in, at this address for as long as the process lives. */
  readonly memory: Uint8Array;
  readonly memoryAddress: number;
}
