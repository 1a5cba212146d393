import assert from "node:assert/strict";
import { test } from "node:test";
import { contains, findPath, formatPath, levelOf, parsePath, pathOf } from "./path.ts";

test("LwM2M Core 1.1 §7.1: paths of each level, both ways", () => {
  const levels = [
    ["/3", "object"],
    ["/3/0", "instance"],
    ["/3/0/9", "resource"],
    ["/3/0/7/1", "resourceInstance"],
    ["/65534/65534/65534/65534", "resourceInstance"],
  ] as const;
  for (const [text, level] of levels) {
    assert.equal(formatPath(parsePath(text)), text);
    assert.equal(levelOf(parsePath(text)), level);
  }
  assert.deepEqual(parsePath("/3/0/7/1"), { objectId: 3, instanceId: 0, resourceId: 7, resourceInstanceId: 1 });
});

test("LwM2M Core 1.1 §7.1: what is no path is refused", () => {
  for (const text of ["", "/", "3", "3/0", "/3/", "//3", "/03", "/-1", "/65535", "/100000", "/3/0/0/0/0", "/a", "/3 ", "/3/0?x"]) {
    assert.equal(findPath(text), undefined, text);
    assert.throws(() => parsePath(text), { name: "Lwm2mFormatError", code: "path" });
  }
  assert.throws(() => pathOf([]));
  assert.throws(() => pathOf([1, 2, 3, 4, 5]));
});

test("path: an ancestor contains what is below it and itself, by number and not by text", () => {
  assert.ok(contains(parsePath("/3"), parsePath("/3/0/9")));
  assert.ok(contains(parsePath("/3/0"), parsePath("/3/0")));
  assert.ok(!contains(parsePath("/3/0/9"), parsePath("/3/0")));
  assert.ok(!contains(parsePath("/3"), parsePath("/33")));
});
