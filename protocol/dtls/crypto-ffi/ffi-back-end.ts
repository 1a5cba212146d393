/** The back end that calls the OpenSSL inside the process: a quarter of what node:crypto costs per record, and no garbage. */

import type { Random } from "../../ports/random.ts";
import type { CryptoBackEnd } from "../crypto/back-end.ts";
import { ffiDigests } from "./ffi-digests.ts";
import { ffiRecordProtection } from "./ffi-record-protection.ts";
import { NativeCalls } from "./native-calls.ts";
import type { OpenSslLibrary } from "./openssl-library.ts";
import { findFault } from "./self-test.ts";

export type FfiBackEnd = { readonly ok: true; readonly backEnd: CryptoBackEnd } | { readonly ok: false; readonly reason: string };

/** Only one that has passed its test of itself. */
export function ffiBackEnd(library: OpenSslLibrary, random: Random): FfiBackEnd {
  try {
    const calls = new NativeCalls(library);
    const digests = ffiDigests(calls);
    const fault = findFault(calls, digests, ffiRecordProtection(calls, { random }));
    if (fault !== undefined) return { ok: false, reason: `the test of itself failed: ${fault}` };
    return { ok: true, backEnd: { name: "ffi", digests, recordProtection: (needs) => ffiRecordProtection(calls, needs) } };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : "it failed" };
  }
}
