import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import { isStale, type StaleContext } from "./staleness.ts";

const path = parsePath("/3303/0/5700");
const registration = { registeredAt: 100_000, lifetimeSeconds: 300 };

/** Ages in seconds at which a value is fresh for the last time; null: at any age. */
const table: readonly (readonly [string, Partial<StaleContext>, number | null])[] = [
  ["not observed: the lifetime of the registration", {}, 300],
  ["not observed: the setting in its place", { staleSeconds: 20 }, 20],
  ["lifetime 0 never ends", { registration: { ...registration, lifetimeSeconds: 0 } }, null],
  ["lifetime 0 with the setting", { registration: { ...registration, lifetimeSeconds: 0 }, staleSeconds: 20 }, 20],
  ["observed: its pmax and a tenth", { watching: [{ paths: [path], pmaxSeconds: 60 }] }, 66],
  ["observed with its instance", { watching: [{ paths: [parsePath("/3303/0")], pmaxSeconds: 60 }] }, 66],
  ["observed with everything", { watching: [{ paths: ["/"], pmaxSeconds: 60 }] }, 66],
  [
    "observed twice: the shorter one",
    {
      watching: [
        { paths: [path], pmaxSeconds: 60 },
        { paths: ["/"], pmaxSeconds: 10 },
      ],
    },
    11,
  ],
  ["observed without pmax: the device says when it changes", { watching: [{ paths: [path], pmaxSeconds: undefined }] }, null],
  ["another resource is observed", { watching: [{ paths: [parsePath("/3303/0/5701")], pmaxSeconds: 60 }] }, 300],
];

for (const [what, circumstances, freshFor] of table) {
  test(`stale: ${what}`, () => {
    const receivedAt = 200_000;
    const context = { nowMs: receivedAt, registration, watching: [], staleSeconds: undefined, ...circumstances };
    const staleAt = (ageMs: number): boolean => isStale(path, { receivedAt }, { ...context, nowMs: receivedAt + ageMs });
    if (freshFor === null) assert.equal(staleAt(1e12), false);
    else assert.deepEqual([staleAt(freshFor * 1_000), staleAt(freshFor * 1_000 + 1)], [false, true]);
  });
}

test("stale: of a device that is not registered, or has registered anew since", () => {
  const context = { nowMs: 100_001, registration, watching: [], staleSeconds: undefined };
  assert.equal(isStale(path, { receivedAt: 100_000 }, context), false);
  assert.equal(isStale(path, { receivedAt: 99_999 }, context), true);
  assert.equal(isStale(path, { receivedAt: 100_000 }, { ...context, registration: undefined }), true);
});
