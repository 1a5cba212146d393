/**
 * The OpenSSL that this process carries, called through koffi (npm, optional): functions of a library that is loaded already, no compiler
 * and nothing fetched. Where anything is not as it was when this was proved, there is none, and a reason.
 */
import { getFips } from "node:crypto";
import { createRequire } from "node:module";
import { type LibraryFunction, librarySignatures, type NativeType, type OpenSslLibrary } from "../dtls/crypto-ffi/openssl-library.ts";

export type FoundLibrary = { readonly ok: true; readonly library: OpenSslLibrary } | { readonly ok: false; readonly reason: string };

type NativeFunction = (...values: readonly (number | string)[]) => number;

/** What is used of koffi; its own types would have to be there for a build without it. */
export interface Koffi {
  load(path: null): { func(name: string, returns: string, takes: readonly string[]): NativeFunction };
  address(memory: Uint8Array): bigint;
}

const typesOfC: { readonly [type in NativeType]: string } = {
  address: "uintptr_t",
  size: "size_t",
  int: "int",
  text: "str",
  nothing: "void",
};
/** OPENSSL_VERSION_NUMBER, openssl/opensslv.h: major, minor and patch in 4, 8 and 16 bits, then 4 of status. */
const provedMajor = 3;

/** `memoryBytes` of memory to hand things over in; `load` is tried only where it was proved. */
export function findOpenSslLibrary(memoryBytes: number, load: () => Koffi | undefined = loadKoffi): FoundLibrary {
  const { platform, arch, versions } = process;
  if (platform !== "linux" || arch !== "x64") return { ok: false, reason: `not proved on ${platform} ${arch}` };
  if (getFips() !== 0) return { ok: false, reason: "FIPS mode: hashes would go past its module" };
  const koffi = load();
  if (koffi === undefined) return { ok: false, reason: "the package koffi is not installed or does not load" };
  try {
    const here = koffi.load(null);
    const bind = (name: string, returns: NativeType, takes: readonly NativeType[]): NativeFunction =>
      here.func(
        name,
        typesOfC[returns],
        takes.map((type) => typesOfC[type]),
      );
    // Only glibc has it.
    bind("gnu_get_libc_version", "text", []);
    const version = versionText(bind("OpenSSL_version_num", "size", [])());
    if (version !== versions.openssl?.replace(/[^\d.].*/, "")) {
      return { ok: false, reason: `the functions found are of OpenSSL ${version}, Node carries ${versions.openssl}` };
    }
    if (Number.parseInt(version, 10) !== provedMajor) return { ok: false, reason: `not proved with OpenSSL ${version}` };
    const functions = Object.fromEntries(
      Object.entries(librarySignatures).map(([name, { returns, takes }]) => [name, bind(name, returns, takes)]),
    ) as { readonly [name in LibraryFunction]: NativeFunction };
    // Memory of its own: that of small buffers is shared, and smaller ones lie in the heap.
    const memory = new Uint8Array(new ArrayBuffer(memoryBytes));
    return { ok: true, library: { functions, memory, memoryAddress: Number(koffi.address(memory)) } };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : "it does not load" };
  }
}

function loadKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)("koffi");
  } catch {
    return undefined;
  }
}

function versionText(number: number): string {
  return `${number >>> 28}.${(number >>> 20) & 0xff}.${(number >>> 4) & 0xffff}`;
}
