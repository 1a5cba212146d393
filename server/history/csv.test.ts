import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../storage/collection.ts";
import { csvLine } from "./csv.ts";

const cells: readonly (readonly [Json | undefined, string])[] = [
  ...([
    ["plain", "plain"] as const,
    [21.5, "21.5"],
    [-3, "-3"],
    [1e21, "1e+21"],
    [true, "true"],
    [null, ""],
    [undefined, ""],
    ["", ""],
  ] as const),
  // RFC 4180 §2: quotes are doubled, what holds a delimiter is quoted.
  ...([["a,b", '"a,b"'] as const, ['say "x"', '"say ""x"""'], ["two\r\nlines", '"two\r\nlines"'], [" spaces ", " spaces "]] as const),
  [{ a: [1, "x"] }, '"{""a"":[1,""x""]}"'],
  // CSV injection (OWASP): no text begins as a formula, and the mark is never ambiguous.
  ...([["=1+1", "'=1+1"] as const, ["+49 30", "'+49 30"], ["-a", "'-a"], ["@sum", "'@sum"], ["\tx", "'\tx"], ["'x", "''x"]] as const),
  ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
  ["\uff1dcmd", "'\uff1dcmd"],
  // 64-bit integers are texts.
  ["-9223372036854775808", "-9223372036854775808"],
  ["-1.5", "-1.5"],
];

for (const [value, cell] of cells) {
  test(`RFC 4180: the cell of ${JSON.stringify(value)}`, () => {
    assert.equal(csvLine([value, value]), `${cell},${cell}\r\n`);
  });
}
