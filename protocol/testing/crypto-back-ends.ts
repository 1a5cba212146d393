/** Back ends beside node:crypto, where they can be had: tests ask the same of all. */
import type { CryptoBackEnd } from "../dtls/crypto/back-end.ts";
import { ffiBackEnd } from "../dtls/crypto-ffi/ffi-back-end.ts";
import { memoryBytes } from "../dtls/crypto-ffi/native-calls.ts";
import { findOpenSslLibrary } from "../platform/openssl-library.ts";
import type { Random } from "../ports/random.ts";

export function otherBackEnds(random: Random): readonly CryptoBackEnd[] {
  const found = findOpenSslLibrary(memoryBytes);
  const made = found.ok ? ffiBackEnd(found.library, random) : found;
  return made.ok ? [made.backEnd] : [];
}
