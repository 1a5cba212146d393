/** Which back end the cryptography of DTLS runs on in this process. */
import { type CryptoBackEnd, chooseBackEnd, nodeBackEnd } from "../dtls/crypto/back-end.ts";
import { ffiBackEnd } from "../dtls/crypto-ffi/ffi-back-end.ts";
import { memoryBytes } from "../dtls/crypto-ffi/native-calls.ts";
import { findOpenSslLibrary } from "./openssl-library.ts";
import { systemRandom } from "./system-random.ts";

/** "auto": `ffi` where it can be had. */
export type DtlsCrypto = "auto" | "node" | "ffi";

export interface ChosenCrypto {
  readonly name: CryptoBackEnd["name"];
  readonly reason: string;
}

let made: ReturnType<typeof make> | undefined;

/** Takes it for all endpoints of the process. Throws when "ffi" cannot be had. */
export function chooseDtlsCrypto(wanted: DtlsCrypto): ChosenCrypto {
  if (wanted === "node") return take(nodeBackEnd, "as set");
  made ??= make();
  if (made.ok) return take(made.backEnd, wanted === "ffi" ? "as set" : "proved on this platform and by its test of itself");
  if (wanted === "ffi") throw new Error(`the cryptography of DTLS cannot call OpenSSL: ${made.reason}`);
  return take(nodeBackEnd, made.reason);
}

/** Once: what it makes in OpenSSL stays. */
function make() {
  const found = findOpenSslLibrary(memoryBytes);
  return found.ok ? ffiBackEnd(found.library, systemRandom) : found;
}

function take(backEnd: CryptoBackEnd, reason: string): ChosenCrypto {
  chooseBackEnd(backEnd);
  return { name: backEnd.name, reason };
}
