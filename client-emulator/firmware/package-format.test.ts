import assert from "node:assert/strict";
import { test } from "node:test";
import { inspectPackage, makePackage, UpdateResult } from "./package-format.ts";

const content = new TextEncoder().encode("hello device");
/** sha256 of `hello device`, from `sha256sum`. */
const digest = "d068eb671235e58ae2990f1d919cb397374890cfbffc9d0403a0811a2d695482";

test("package format: the header is one line of text", () => {
  const bytes = makePackage("app", "2.0.0", content);
  assert.equal(new TextDecoder().decode(bytes), `LWM2M-FW app 2.0.0 ${digest}\nhello device`);
});

test("package format: what was made is read again", () => {
  const bytes = makePackage("app", "2.0.0", content);
  assert.deepEqual(inspectPackage(bytes, bytes.length), {
    ok: true,
    package: { name: "app", version: "2.0.0", contentBytes: content.length },
  });
});

test("package format: each fault has the update result of object 5", () => {
  const bytes = makePackage("app", "2.0.0", content);
  const broken = Uint8Array.from(bytes);
  broken[broken.length - 1] = 0;
  const text = (header: string) => new TextEncoder().encode(header);
  const table: readonly (readonly [string, Uint8Array, number, number])[] = [
    ["over the flash", bytes, bytes.length - 1, UpdateResult.notEnoughFlash],
    ["content changed", broken, 1_000, UpdateResult.integrityFailure],
    ["cut short", bytes.subarray(0, bytes.length - 1), 1_000, UpdateResult.integrityFailure],
    ["another type", text("ELF something\n"), 1_000, UpdateResult.unsupportedPackage],
    ["a word too many", text("LWM2M-FW a b c d\n"), 1_000, UpdateResult.unsupportedPackage],
    ["no end of the header", text("LWM2M-FW a b"), 1_000, UpdateResult.unsupportedPackage],
    ["a header without end", new Uint8Array(5_000).fill(0x41), 10_000, UpdateResult.unsupportedPackage],
    ["nothing", new Uint8Array(0), 1_000, UpdateResult.unsupportedPackage],
  ];
  for (const [title, given, flashBytes, result] of table) assert.deepEqual(inspectPackage(given, flashBytes), { ok: false, result }, title);
});

test("package format: cut at every byte it is never taken for whole", () => {
  const bytes = makePackage("app", "2.0.0", content);
  for (let length = 0; length < bytes.length; length += 1)
    assert.equal(inspectPackage(bytes.subarray(0, length), 1_000).ok, false, `${length} bytes`);
});

test("package format: names that would break the header are refused", () => {
  for (const name of ["", "two words", "a\nb", "ä", "x".repeat(65)]) assert.throws(() => makePackage(name, "1", content), RangeError);
});
