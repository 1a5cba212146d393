import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ConnectionSlab } from "../connections/connection-slab.ts";
import { admit, closeWindowUpTo, isNew, openWindow } from "./replay-window.ts";

function window(): { slab: ConnectionSlab; row: number } {
  const slab = new ConnectionSlab(1);
  const row = slab.allocate();
  openWindow(slab, row);
  return { slab, row };
}

test("RFC 6347 §4.1.2.6: nothing twice, everything new within 64 records, as a set would have it, up to 2^48", () => {
  for (const start of [0, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 48 - 20_000]) {
    const random = seededRandom(start % 1_000);
    const { slab, row } = window();
    const seen = new Set<number>();
    let top = -1;
    let middle = start;
    for (let i = 0; i < 10_000; i++) {
      middle += random.fraction() < 0.02 ? random.integer(200) : random.integer(2);
      const sequence = Math.max(0, middle - random.integer(90));
      const expected = !seen.has(sequence) && (sequence > top || top - sequence < 64);
      assert.equal(isNew(slab, row, sequence), expected, `${sequence} at ${top}`);
      if (!expected) continue;
      assert.equal(admit(slab, row, sequence), sequence > top);
      seen.add(sequence);
      top = Math.max(top, sequence);
    }
  }
});

test("a window that was lost takes only what is newer", () => {
  const { slab, row } = window();
  closeWindowUpTo(slab, row, 1_000);
  for (let sequence = 900; sequence <= 1_000; sequence++) assert.equal(isNew(slab, row, sequence), false);
  assert.equal(isNew(slab, row, 1_001), true);
  admit(slab, row, 1_003);
  assert.equal(isNew(slab, row, 1_002), true);
  assert.equal(isNew(slab, row, 1_000), false);
});
