import assert from "node:assert/strict";
import { test } from "node:test";
import { preferredMediaType } from "./accept.ts";

const offered = ["application/json", "application/x-ndjson", "text/csv"] as const;

for (const [accept, expected] of [
  [undefined, "application/json"],
  ["*/*", "application/json"],
  ["text/csv", "text/csv"],
  ["Text/CSV; charset=utf-8", "text/csv"],
  ["application/*", "application/json"],
  ["application/json;q=0.2, text/*;q=0.4", "text/csv"],
  ["*/*;q=0.1, application/x-ndjson", "application/x-ndjson"],
  ["application/*, application/json;q=0", "application/x-ndjson"],
  ["text/html, application/xhtml+xml, */*;q=0.8", "application/json"],
  ["text/html", undefined],
  ["text/csv;q=0", undefined],
  ["text/csv;q=much", undefined],
  ["nonsense", undefined],
] as const) {
  test(`RFC 9110 §12.5.1: Accept: ${accept}`, () => assert.equal(preferredMediaType(accept, offered), expected));
}
