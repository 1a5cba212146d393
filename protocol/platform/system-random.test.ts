import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "./system-random.ts";

test("Random: bytes of any length, never the same twice, in memory of their own", () => {
  const seen = new Set<string>();
  for (const length of [16, 8, 250, 256, 257, 5_000, 1, 32]) {
    for (let i = 0; i < 200; i++) {
      const bytes = systemRandom.bytes(length);
      assert.equal(bytes.length, length);
      assert.equal(bytes.buffer.byteLength, length, "nothing else lies beside it");
      if (length < 8) continue;
      assert.ok(bytes.some((byte) => byte !== 0));
      seen.add(Buffer.from(bytes).toString("hex"));
    }
  }
  assert.equal(seen.size, 7 * 200);
  assert.equal(systemRandom.bytes(0).length, 0);
});
