import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "./catalogue.ts";
import { secretResourcesOf } from "./secret-resource.ts";

const catalogue = openCatalogue();

/** Object, and the ids of its secret resources. */
const table: readonly (readonly [number, readonly number[]])[] = [
  [3, []],
  [5, [0]],
  [9, [2, 3, 14, 15]],
  [10, [2]],
  [11, [6]],
  [12, [17, 18, 21, 22, 23, 24, 25, 28]],
  [24, [8]],
  [3412, [9]],
  [3447, [28]],
  [10_260, []],
];

for (const [id, expected] of table) {
  test(`LwM2M Core 1.1 appendix D.1: object ${id} keeps ${expected.length === 0 ? "nothing" : expected.join(", ")} secret`, () => {
    const definition = catalogue.find(id);
    assert.ok(definition);
    assert.deepEqual(
      [...secretResourcesOf(definition)].toSorted((a, b) => a - b),
      expected,
    );
  });
}

test("LwM2M Core 1.1 §6.3: all of Security, OSCORE and COSE, in every version", () => {
  for (const id of [0, 21, 23]) {
    for (const version of catalogue.versionsOf(id)) {
      const definition = catalogue.find(id, version);
      assert.ok(definition);
      assert.deepEqual([...secretResourcesOf(definition)], [...definition.resources.keys()]);
    }
  }
});
