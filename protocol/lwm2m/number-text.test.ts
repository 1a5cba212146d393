import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { decimalOf, findAnyDecimal, findDecimal, findPlainDecimal, formatPlainDecimal } from "./number-text.ts";

test("RFC 8259 §6: numbers are exact integers where they are whole, whatever their notation", () => {
  const cases: readonly (readonly [string, number, bigint | undefined, boolean])[] = [
    ["0", 0, 0n, true],
    ["-0", -0, 0n, true],
    ["9007199254740993", 9_007_199_254_740_992, 9_007_199_254_740_993n, true],
    ["-9223372036854775808", -(2 ** 63), -(2n ** 63n), true],
    ["1.6E9", 1_600_000_000, 1_600_000_000n, false],
    ["1.25e2", 125, 125n, false],
    ["100.00", 100, 100n, false],
    ["1500e-2", 15, 15n, false],
    ["1.5", 1.5, undefined, false],
    ["1e300", 1e300, undefined, false],
    ["0e999999", 0, 0n, false],
    ["1e-999999", 0, undefined, false],
  ];
  for (const [text, float, integer, plainInteger] of cases) {
    assert.deepEqual(findDecimal(text), { kind: "number", float, integer, plainInteger }, text);
  }
});

test("RFC 8259 §6: the short cut reads numbers without exponent as the whole rule does, and takes them all", () => {
  const seed = 20_261_121;
  const random = seededRandom(seed);
  const digits = (most: number): string => Array.from({ length: random.integer(most + 1) }, () => random.pick([..."0019"])).join("");
  let taken = 0;
  for (let round = 0; round < 60_000; round++) {
    const whole = digits(round % 3 === 0 ? 25 : 8);
    const text = `${random.pick(["", "", "-", "+", "--"])}${whole}${random.pick(["", ".", ".5", `.${digits(9)}`, `.${"0".repeat(random.integer(30))}`, "..1", "e1", "-"])}`;
    const short = findPlainDecimal(text);
    const any = findAnyDecimal(text);
    if (short === undefined) {
      assert.ok(any === undefined || text.startsWith("+") || text.includes("e"), text);
    } else {
      taken++;
      assert.deepEqual(short, any, `seed ${seed}: ${text}`);
    }
  }
  assert.ok(taken > 15_000, `${taken} numbers taken`);
  for (const text of [
    "999999999999999",
    "99999999999999.9",
    "0.00000000000001",
    "-999999999999.999",
    "-0",
    "-0.0",
    "5.",
    ".5",
    "-21.200000000000003",
    "9007199254740993.00",
  ]) {
    assert.deepEqual(findPlainDecimal(text), findAnyDecimal(text));
    assert.notEqual(findPlainDecimal(text), undefined, text);
  }
});

test("number text: what is no finite decimal number is refused, quickly", () => {
  for (const text of [
    "",
    ".",
    "-",
    "e5",
    "1e",
    "0x10",
    "1_000",
    "Infinity",
    "NaN",
    "1e400",
    "1e9999999",
    " 1",
    "1".repeat(401),
    "9".repeat(350),
  ]) {
    assert.equal(findDecimal(text), undefined, text.slice(0, 20));
  }
});

test("RFC 8949 §3.4.4: decimal fractions round once", () => {
  assert.equal(decimalOf(27_315n, -2n)?.float, 273.15);
  assert.deepEqual(decimalOf(5n, 2n), { kind: "number", float: 500, integer: 500n, plainInteger: false });
  assert.equal(decimalOf(1n, 400n), undefined);
  assert.equal(decimalOf(1n, 10n ** 18n), undefined);
});

test("LwM2M Core 1.1 §7.4.1: plain decimals read back the same and have no exponent", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 20_000; round++) {
    const float = new DataView(random.bytes(8).buffer).getFloat64(0);
    if (!Number.isFinite(float)) continue;
    const text = formatPlainDecimal(float);
    assert.match(text, /^-?\d+(\.\d+)?$/);
    assert.ok(Object.is(Number(text), float), text);
  }
  for (const [float, text] of [
    [0, "0"],
    [-0, "-0"],
    [1e21, "1000000000000000000000"],
    [1.5e-7, "0.00000015"],
    [-1.25e25, "-12500000000000000000000000"],
  ] as const) {
    assert.equal(formatPlainDecimal(float), text);
  }
});
