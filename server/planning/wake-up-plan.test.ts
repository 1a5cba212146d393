import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import { aDevice, aRead, aSingle, aWrite, type DeviceFields, planned } from "./plan-fixture.ts";
import type { DeviceAbilities, MergedForm, Waiting } from "./waiting.ts";
import { planWakeUp } from "./wake-up-plan.ts";

const only = (...forms: MergedForm[]): Partial<DeviceAbilities> => ({ forms: new Set(forms) });
const first: Partial<DeviceAbilities> = only("read", "writeInstance");

/** What waits, in the order of its creation; what the device can; the exchanges: form, operations, and what a merged request names. */
const cases: readonly (readonly [string, readonly Waiting[], DeviceFields, readonly string[]])[] = [
  ["nothing", [], {}, []],
  ["one read goes as it is", [aRead("a", "/3/0/9")], {}, ["single a"]],
  [
    "LwM2M Core 1.1 §6.3.8: reads of several objects are one Read-Composite",
    [aRead("a", "/3/0/9"), aRead("b", "/3303/0/5700"), aRead("c", "/4/0/2")],
    {},
    ["readComposite a b c: /3/0/9 /3303/0/5700 /4/0/2"],
  ],
  ["the same Read asked for twice is made once", [aRead("a", "/3/0/9"), aRead("b", "/3/0/9")], first, ["read a b: /3/0/9"]],
  ["a Read within another is answered by it", [aRead("a", "/3/0/9"), aRead("b", "/3/0", 900)], first, ["read a b: /3/0"]],
  [
    "the same of several paths",
    [aRead("a", "/3/0/9"), aRead("b", "/4/0/2"), aRead("c", "/3/0/9")],
    {},
    ["readComposite a b c: /3/0/9 /4/0/2"],
  ],
  ["LwM2M 1.0: reads of several objects stay apart", [aRead("a", "/3/0/9"), aRead("b", "/4/0/2")], first, ["single a", "single b"]],
  [
    "LwM2M 1.0: of two resources of a large instance too",
    [aRead("a", "/3/0/9"), aRead("b", "/3/0/0")],
    { ...first, whole: 400 },
    ["single a", "single b"],
  ],
  [
    "and what several asked for is read once all the same",
    [aRead("a", "/3/0/1"), aRead("b", "/3/0/9"), aRead("c", "/3/0/9")],
    { ...first, whole: 400 },
    ["single a", "read b c: /3/0/9"],
  ],
  [
    "LwM2M 1.0: siblings of an instance that is known to be small are one Read of it",
    [aRead("a", "/3/0/9"), aRead("b", "/3/0/0"), aRead("c", "/3/0/1")],
    { ...first, whole: 90 },
    ["read a b c: /3/0"],
  ],
  [
    "the same instance in several objects",
    [aRead("a", "/3303/0/5700"), aRead("b", "/3303/1/5700")],
    { ...first, whole: 60 },
    ["read a b: /3303"],
  ],
  [
    "with composite the cheaper of both",
    [aRead("a", "/3/0/9"), aRead("b", "/3/0/0"), aRead("c", "/3/0/1")],
    { whole: 90 },
    ["read a b c: /3/0"],
  ],
  [
    "and the list where the instance is large",
    [aRead("a", "/3/0/9"), aRead("b", "/3/0/0")],
    { whole: 900 },
    ["readComposite a b: /3/0/9 /3/0/0"],
  ],
  [
    "RFC 7959: answers that fill a block each gain nothing together",
    [aRead("a", "/3/0", 900), aRead("b", "/3303/0", 900)],
    {},
    ["single a", "single b"],
  ],
  [
    "a small block keeps the list small",
    ["a", "b", "c", "d"].map((id, at) => aRead(id, `/3303/${at}/5700`)),
    { blockSizeBytes: 64 },
    ["readComposite a b c: /3303/0/5700 /3303/1/5700 /3303/2/5700", "single d"],
  ],
  [
    "LwM2M Core 1.1 §6.3.3: writes within an instance are one update of it",
    [aWrite("a", "/1/0/2"), aWrite("b", "/1/0/3")],
    first,
    ["writeInstance a b: /1/0"],
  ],
  [
    "LwM2M Core 1.1 §6.3.9: writes of several instances are one Write-Composite",
    [aWrite("a", "/1/0/2"), aWrite("b", "/3/0/14")],
    {},
    ["writeComposite a b: /1/0/2 /3/0/14"],
  ],
  ["LwM2M 1.0: those stay apart", [aWrite("a", "/1/0/2"), aWrite("b", "/3/0/14")], first, ["single a", "single b"]],
  ["two writes of one resource are both sent, in order", [aWrite("a", "/3/0/14"), aWrite("b", "/3/0/14")], {}, ["single a", "single b"]],
  ["two that write the same value are one", [aWrite("a", "/3/0/14", "1"), aWrite("b", "/3/0/14", "1")], first, ["writeInstance a b: /3/0"]],
  [
    "not past one that writes another",
    [aWrite("a", "/3/0/14", "1"), aWrite("b", "/3/0/14", "2"), aWrite("c", "/3/0/14", "1")],
    {},
    ["single a", "single b", "single c"],
  ],
  [
    "what lies between goes with the first",
    [aWrite("a", "/3/0/14"), aWrite("b", "/3/0/15"), aWrite("c", "/3/0/14")],
    {},
    ["writeInstance a b: /3/0", "single c"],
  ],
  [
    "a Read after a Write of the same is made after it",
    [aRead("a", "/3/0/15"), aWrite("b", "/3/0/14"), aRead("c", "/3/0/14")],
    {},
    ["single a", "single b", "single c"],
  ],
  [
    "reads and writes that do not touch each other: two exchanges",
    [aRead("a", "/4/0/2"), aWrite("b", "/3/0/14"), aRead("c", "/3303/0/5700"), aWrite("d", "/1/0/2")],
    {},
    ["readComposite a c: /4/0/2 /3303/0/5700", "writeComposite b d: /3/0/14 /1/0/2"],
  ],
  [
    "nothing is moved past an Execute to be merged",
    [aRead("a", "/4/0/2"), aSingle("b", "/3/0", "acts"), aRead("c", "/3303/0/5700")],
    {},
    ["single a", "single b", "single c"],
  ],
  [
    "nor past a Create or Delete that touches it",
    [aRead("a", "/4/0/2"), aSingle("b", "/3303", "changes"), aRead("c", "/3303/0/5700")],
    {},
    ["single a", "single b", "single c"],
  ],
  [
    "but past others",
    [aRead("a", "/4/0/2"), aSingle("b", "/3303", "changes"), aRead("c", "/3/0/9")],
    {},
    ["readComposite a c: /4/0/2 /3/0/9", "single b"],
  ],
  [
    "what was refused with others goes alone",
    [aRead("a", "/4/0/2"), { ...aRead("b", "/3/0/9"), alone: true }, aRead("c", "/3303/0/5700")],
    {},
    ["readComposite a c: /4/0/2 /3303/0/5700", "single b"],
  ],
  [
    "the higher priority first, then by creation",
    [aWrite("a", "/1/0/2"), { ...aSingle("b", "/3/0/9", "listens"), priority: 9 }, { ...aRead("c", "/4/0/2"), priority: 7 }],
    first,
    ["single b", "single c", "single a"],
  ],
  [
    "never before what touches it: that goes first, with its urgency",
    [{ ...aWrite("a", "/3/0/14"), priority: 1 }, aRead("b", "/4/0/2"), { ...aRead("c", "/3/0"), priority: 9 }],
    first,
    ["single a", "single c", "single b"],
  ],
  [
    "reads overtake reads of the same",
    [aRead("a", "/3/0/9"), { ...aRead("b", "/3/0"), priority: 9, alone: true }],
    first,
    ["single b", "single a"],
  ],
  [
    "a chain of what has to happen first",
    [
      { ...aWrite("a", "/3/0/14"), priority: 0 },
      { ...aSingle("b", "/3/0", "acts"), priority: 0 },
      { ...aRead("c", "/3/0/14"), priority: 9 },
    ],
    {},
    ["single a", "single b", "single c"],
  ],
];

describe("LwM2M Core 1.1 §6.5: what a wake-up does", () => {
  for (const [what, waiting, device, expected] of cases) {
    test(what, () => assert.deepEqual(planned(planWakeUp(waiting, aDevice(device))), expected));
  }

  test("16 paths at most go together", () => {
    const waiting = Array.from({ length: 20 }, (_, at) => aRead(String(at).padStart(2, "0"), `/3303/${at}/5700`));
    const { exchanges } = planWakeUp(waiting, aDevice());
    assert.deepEqual(
      exchanges.map(({ members }) => members.length),
      [16, 4],
    );
  });

  test("of several with one key the newest goes; the others are named with it, never just left out", () => {
    const keyed = (id: string, supersedeKey: string): Waiting => ({ ...aWrite(id, "/3/0/14"), supersedeKey });
    const plan = planWakeUp([keyed("a", "k"), aWrite("b", "/3/0/14"), keyed("c", "k"), keyed("d", "other")], aDevice());
    assert.deepEqual(plan.superseded, [{ id: "a", by: "c" }]);
    assert.deepEqual(planned(plan), ["single b", "single c", "single d"]);
  });
});

describe("LwM2M Core 1.1 §6.5: what fits into a wake-up", () => {
  const asleep = { lengthMs: 10_000, restMs: 10_000, exchanges: 0, bytes: 0 };
  const long = { ...aRead("b", "/3303", 8_000), alone: true };
  const postponements = (waiting: readonly Waiting[], device: Parameters<typeof aDevice>[0]): readonly (string | null)[] =>
    planWakeUp(waiting, aDevice({ ...first, roundTripMs: 2_000, ...device })).exchanges.map(({ postponed }) => postponed);

  test("each answer starts the window again: short exchanges all fit", () => {
    const waiting = Array.from({ length: 12 }, (_, at) => aWrite(String(at).padStart(2, "0"), `/3303/${at}/5815`));
    assert.deepEqual(postponements(waiting, { window: asleep }), Array(12).fill(null));
  });

  test("RFC 7959: one of more blocks than fit is started as the first of a wake-up only", () => {
    assert.deepEqual(postponements([long, aRead("c", "/3/0/9")], { window: asleep }), [null, null]);
    assert.deepEqual(postponements([aRead("a", "/3/0/9"), long, aRead("c", "/4/0/2")], { window: asleep }), [null, "window", null]);
    assert.deepEqual(postponements([long], { window: { ...asleep, exchanges: 1 } }), ["window"]);
  });

  test("what has to come after one that waits waits too", () => {
    const write = aWrite("c", "/3303/0/5815");
    assert.deepEqual(postponements([aRead("a", "/3/0/9"), long, write, aRead("d", "/3303/0/5815")], { window: asleep }), [
      null,
      "window",
      "behind",
      "behind",
    ]);
  });

  test("less rest than a round trip: nothing more but the first", () => {
    const window = { ...asleep, restMs: 1_000 };
    assert.deepEqual(postponements([aRead("a", "/3/0/9"), aRead("b", "/4/0/2")], { window }), [null, null]);
    assert.deepEqual(postponements([aRead("a", "/3/0/9")], { window: { ...window, exchanges: 1 } }), ["window"]);
  });

  test("bytes both ways up to the budget, one exchange in any case", () => {
    const waiting = [aRead("a", "/3/0/9"), aRead("b", "/4/0/2"), aRead("c", "/5/0/3")];
    assert.deepEqual(postponements(waiting, { window: { ...asleep, budgetBytes: 10 } }), [null, "budget", "budget"]);
    assert.deepEqual(postponements(waiting, { window: { ...asleep, budgetBytes: 150 } }), [null, null, "budget"]);
    assert.deepEqual(postponements(waiting, { window: { ...asleep, exchanges: 3, bytes: 150, budgetBytes: 150 } }), [
      "budget",
      "budget",
      "budget",
    ]);
  });

  test("a device that never sleeps is sent everything", () => {
    assert.deepEqual(postponements([aRead("a", "/3/0/9"), long], {}), [null, null]);
  });
});

test("RFC 7252 §3, RFC 7959 §2: an estimate in bytes, round trips and time", () => {
  const [plain, blocks] = planWakeUp([aRead("a", "/3/0/9", 20), aRead("b", "/5/0/0", 2_500)], aDevice(first)).exchanges;
  assert.deepEqual(plain?.cost, { bytesDown: 12 + 9, bytesUp: 12 + 3 + 1 + 20, roundTrips: 1, durationMs: 100 });
  assert.deepEqual([blocks?.cost.roundTrips, blocks?.cost.durationMs], [3, 300]);
  assert.ok((blocks?.cost.bytesUp ?? 0) > 2_500 && (blocks?.cost.bytesUp ?? 0) < 2_600);
});

test("operations are compared by path, whole identifiers", () => {
  assert.deepEqual(planned(planWakeUp([aWrite("a", "/3303/1/5815"), aRead("b", "/3303/11/5815")], aDevice(first))), [
    "single a",
    "single b",
  ]);
  assert.deepEqual(parsePath("/3303/1"), { objectId: 3303, instanceId: 1 });
});
