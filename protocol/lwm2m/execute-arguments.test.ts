import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExecuteArgument, encodeExecuteArguments, formatExecuteArguments, parseExecuteArguments } from "./execute-arguments.ts";

/** LwM2M Core 1.1 §6.3.6, and the binding override of /1/x/8. */
const vectors: readonly (readonly [string, readonly ExecuteArgument[]])[] = [
  ["", []],
  ["5", [{ digit: 5 }]],
  ["2='10.3'", [{ digit: 2, text: "10.3" }]],
  ["7,0='https://www.oma.org'", [{ digit: 7 }, { digit: 0, text: "https://www.oma.org" }]],
  ["0,1,2,3,4", [{ digit: 0 }, { digit: 1 }, { digit: 2 }, { digit: 3 }, { digit: 4 }]],
  [
    "0='U',1=''",
    [
      { digit: 0, text: "U" },
      { digit: 1, text: "" },
    ],
  ],
  ["3='a,b=c;!#$%&()[]{}~'", [{ digit: 3, text: "a,b=c;!#$%&()[]{}~" }]],
];

test("LwM2M Core 1.1 §6.3.6: arguments, both ways", () => {
  for (const [text, list] of vectors) {
    assert.deepEqual(parseExecuteArguments(text), list);
    assert.deepEqual(parseExecuteArguments(encodeExecuteArguments(list)), list);
    assert.equal(formatExecuteArguments(list), text);
  }
});

test("LwM2M Core 1.1 §6.3.6: what the grammar does not allow is refused, cuts included", () => {
  for (const text of [
    "a",
    "10",
    "1,",
    ",1",
    "1,,2",
    "1=",
    "1='",
    "1='a",
    "1=a",
    "1 ",
    "1='a b'",
    "1='a\"'",
    "1='a\\'",
    "1='é'",
    "1,1",
    "0='a',0='b'",
  ]) {
    assert.throws(() => parseExecuteArguments(text), { name: "Lwm2mFormatError", code: "arguments" }, text);
  }
  for (const cut of ["2='10.3", "2='", "2="]) assert.throws(() => parseExecuteArguments(cut), { code: "arguments" });
  assert.throws(() => parseExecuteArguments(Uint8Array.of(0xff)), { code: "arguments" });
});

test("LwM2M Core 1.1 §6.3.6: what cannot be written is refused", () => {
  for (const list of [
    [{ digit: 10 }],
    [{ digit: 1.5 }],
    [{ digit: 1 }, { digit: 1 }],
    [{ digit: 1, text: "a'b" }],
    [{ digit: 1, text: "a b" }],
  ]) {
    assert.throws(() => formatExecuteArguments(list), { code: "arguments" });
  }
});
