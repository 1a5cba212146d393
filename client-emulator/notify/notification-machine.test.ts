import assert from "node:assert/strict";
import { test } from "node:test";
import { type Conditions, observed, step } from "./notification-machine.ts";

const none: Conditions = { pminMs: 0, pmaxMs: undefined, greaterThan: undefined, lessThan: undefined, step: undefined };

/** Plays a course of values (second, value) and tells at which second which value would be notified. */
function play(conditions: Conditions, first: number, course: readonly (readonly [number, number])[], untilSecond: number) {
  let state = observed(first, 0);
  let current = first;
  let evaluateAt: number | undefined;
  const sent: [number, number][] = [];
  const run = (now: number, changed: boolean): void => {
    const outcome = step(state, changed ? { kind: "changed", number: current } : { kind: "evaluate" }, conditions, now);
    state = outcome.state;
    evaluateAt = outcome.evaluateAt;
    if (outcome.notify) sent.push([now / 1_000, current]);
  };
  run(0, false);
  const runTimersUntil = (limit: number): void => {
    while (evaluateAt !== undefined && evaluateAt <= limit) run(evaluateAt, false);
  };
  for (const [second, value] of course) {
    runTimersUntil(second * 1_000 - 1);
    current = value;
    run(second * 1_000, true);
  }
  runTimersUntil(untilSecond * 1_000);
  return sent;
}

const table = [
  [
    "without conditions every change leaves at once",
    none,
    20,
    [
      [1, 21],
      [2, 22],
    ],
    10,
    [
      [1, 21],
      [2, 22],
    ],
  ],
  [
    "pmin holds a change back and sends the newest value when it is over",
    { ...none, pminMs: 10_000 },
    20,
    [
      [1, 21],
      [3, 23],
    ],
    30,
    [[10, 23]],
  ],
  [
    "pmin counts from the last notification",
    { ...none, pminMs: 10_000 },
    20,
    [
      [12, 21],
      [13, 22],
    ],
    60,
    [
      [12, 21],
      [22, 22],
    ],
  ],
  [
    "pmax repeats without a change",
    { ...none, pmaxMs: 15_000 },
    20,
    [],
    50,
    [
      [15, 20],
      [30, 20],
      [45, 20],
    ],
  ],
  [
    "pmax begins anew with every notification",
    { ...none, pmaxMs: 15_000 },
    20,
    [[10, 21]],
    41,
    [
      [10, 21],
      [25, 21],
      [40, 21],
    ],
  ],
  [
    "pmin = pmax is a strict period",
    { ...none, pminMs: 10_000, pmaxMs: 10_000 },
    20,
    [
      [3, 21],
      [4, 22],
      [17, 23],
    ],
    31,
    [
      [10, 22],
      [20, 23],
      [30, 23],
    ],
  ],
  ["pmax below pmin is ignored", { ...none, pminMs: 10_000, pmaxMs: 5_000 }, 20, [], 60, []],
  ["pmax 0 is none", { ...none, pmaxMs: 0 }, 20, [], 60, []],
  [
    "gt: each crossing, both ways, nothing between",
    { ...none, greaterThan: 25 },
    20,
    [
      [1, 24],
      [2, 26],
      [3, 27],
      [4, 25],
      [5, 24],
    ],
    10,
    [
      [2, 26],
      [4, 25],
    ],
  ],
  [
    "lt: each crossing, both ways",
    { ...none, lessThan: 10 },
    20,
    [
      [1, 11],
      [2, 9],
      [3, 8],
      [4, 10],
    ],
    10,
    [
      [2, 9],
      [4, 10],
    ],
  ],
  [
    "st: measured from what was sent last",
    { ...none, step: 2 },
    20,
    [
      [1, 21],
      [2, 21.9],
      [3, 22],
      [4, 20.5],
      [5, 20],
    ],
    10,
    [
      [3, 22],
      [5, 20],
    ],
  ],
  [
    "gt with pmin: the crossing is not forgotten",
    { ...none, greaterThan: 25, pminMs: 10_000 },
    20,
    [
      [2, 26],
      [4, 24],
    ],
    30,
    [[10, 24]],
  ],
  [
    "st with pmax: the period goes on",
    { ...none, step: 5, pmaxMs: 20_000 },
    20,
    [
      [5, 26],
      [7, 27],
    ],
    50,
    [
      [5, 26],
      [25, 27],
      [45, 27],
    ],
  ],
] as const;

for (const [title, conditions, first, course, until, sent] of table) {
  test(`LwM2M Core 1.1 §5.1.2: ${title}`, () => {
    assert.deepEqual(play(conditions, first, course, until), sent);
  });
}

test("LwM2M Core 1.1 §5.1.2: gt, lt and st do not apply where there is no single number", () => {
  const outcome = step(observed(undefined, 0), { kind: "changed", number: undefined }, { ...none, greaterThan: 25 }, 1_000);
  assert.equal(outcome.notify, true);
});
