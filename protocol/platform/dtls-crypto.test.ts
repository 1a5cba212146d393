import assert from "node:assert/strict";
import { test } from "node:test";
import { backEndName, chooseBackEnd, nodeBackEnd } from "../dtls/crypto/back-end.ts";
import { librarySignatures } from "../dtls/crypto-ffi/openssl-library.ts";
import { chooseDtlsCrypto } from "./dtls-crypto.ts";
import { findOpenSslLibrary, type Koffi } from "./openssl-library.ts";

const isProved = process.platform === "linux" && process.arch === "x64";
const elsewhere = { skip: isProved ? false : `not on ${process.platform} ${process.arch}` };
const memoryBytes = 64;

test("the back end is the one asked for, and by itself the calls into OpenSSL where they are proved", elsewhere, (t) => {
  t.after(() => chooseBackEnd(nodeBackEnd));
  for (const [wanted, name] of [
    ["ffi", "ffi"],
    ["node", "node"],
    ["auto", "ffi"],
  ] as const) {
    const chosen = chooseDtlsCrypto(wanted);
    assert.equal(chosen.name, name);
    assert.ok(chosen.reason.length > 0);
    assert.equal(backEndName(), name);
  }
});

test("without koffi, glibc, a function or the version that Node carries there is no library, and a reason", elsewhere, () => {
  assert.match(reasonOf(findOpenSslLibrary(memoryBytes, () => undefined)), /koffi is not installed/);
  for (const missing of ["gnu_get_libc_version", "OpenSSL_version_num", ...Object.keys(librarySignatures)]) {
    const found = findOpenSslLibrary(memoryBytes, () => aKoffi(nodesVersion(), missing));
    assert.equal(reasonOf(found), `no ${missing}`);
  }
  assert.match(reasonOf(findOpenSslLibrary(memoryBytes, () => aKoffi(0x3000_0010))), /are of OpenSSL 3\.0\.1, Node carries/);
  const found = findOpenSslLibrary(memoryBytes, () => aKoffi(nodesVersion()));
  assert.ok(found.ok);
  assert.equal(found.library.memory.length, memoryBytes);
  assert.equal(found.library.memoryAddress, 4_096);
});

function reasonOf(found: ReturnType<typeof findOpenSslLibrary>): string {
  return found.ok ? assert.fail("it was found") : found.reason;
}

function nodesVersion(): number {
  const [major = 0, minor = 0, patch = 0] = (process.versions.openssl ?? "").split(".").map((part) => Number.parseInt(part, 10));
  return ((major << 28) | (minor << 20) | (patch << 4)) >>> 0;
}

function aKoffi(version: number, missing?: string): Koffi {
  return {
    load: () => ({
      func: (name) => {
        if (name === missing) throw new Error(`no ${name}`);
        return () => version;
      },
    }),
    address: () => 4_096n,
  };
}
