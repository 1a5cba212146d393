import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue } from "@lwm2m/protocol/lwm2m/value";
import type { News } from "../operations/news.ts";
import { difference, type KnownValue, pointsOf } from "./twin.ts";

const float = (path: string, value: number, timeMs?: number): PathValue => ({
  path: parsePath(path),
  value: { type: "float", value },
  ...(timeMs === undefined ? {} : { timeMs }),
});
const known = (value: number, observedAt: number): KnownValue => ({
  type: "float",
  value,
  source: "notify",
  observedAt,
  receivedAt: observedAt,
});
const news = (values: readonly PathValue[], more: Partial<News> = {}): News => ({ source: "notify", values, receivedAt: 1_000, ...more });

describe("last known values", () => {
  test("a late value never replaces a newer one; one of the same time does", () => {
    const late = difference({ "/3303/0/5700": known(20, 900) }, news([float("/3303/0/5700", 18, 899)]));
    assert.equal(late.set.size, 0);
    assert.equal(late.told.size, 0);
    const same = difference({ "/3303/0/5700": known(20, 900) }, news([float("/3303/0/5700", 18, 900)]));
    assert.equal(same.set.get("/3303/0/5700")?.value, 18);
  });

  test("of several values of one path the newest is known, whatever their order", () => {
    const { set } = difference({}, news([float("/3303/0/5700", 1, 500), float("/3303/0/5700", 3, 700), float("/3303/0/5700", 2, 600)]));
    assert.deepEqual([set.get("/3303/0/5700")?.value, set.get("/3303/0/5700")?.observedAt], [3, 700]);
  });

  test("what a complete answer does not name is gone below its path, unless it is newer", () => {
    const before = { "/3/0/7/0": known(1, 900), "/3/0/7/1": known(2, 900), "/3/0/7/2": known(3, 1_001), "/3/0/9": known(4, 900) };
    const { unset } = difference(before, news([float("/3/0/7/0", 5)], { completeUnder: [parsePath("/3/0/7")] }));
    assert.deepEqual(unset, ["/3/0/7/1"]);
  });

  test("reports are always told, reads and writes only when they bring something new", () => {
    const before = { "/3303/0/5700": known(20, 900) };
    assert.equal(difference(before, news([float("/3303/0/5700", 20)])).told.size, 1);
    assert.equal(difference(before, news([float("/3303/0/5700", 20)], { source: "read" })).told.size, 0);
    assert.equal(difference(before, news([float("/3303/0/5700", 21)], { source: "read" })).told.size, 1);
  });

  test("the history has what the device said, at its own time; not what it was told", () => {
    const said = pointsOf("dev-1", news([float("/3303/0/5700", 1, 500), float("/3303/0/5700", 2)]));
    assert.deepEqual(
      said.map(({ timeMs, receivedMs, value }) => [timeMs, receivedMs, value]),
      [
        [500, 1_000, 1],
        [1_000, 1_000, 2],
      ],
    );
    assert.deepEqual(pointsOf("dev-1", news([float("/3303/0/5700", 1)], { source: "write" })), []);
  });
});
