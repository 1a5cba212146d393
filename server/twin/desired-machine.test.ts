import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json } from "../storage/collection.ts";
import { type ConflictPolicy, isSameValue, type Reported, reportedAt, type Wish, type WishState } from "./desired.ts";
import { isWanted, type Look, look, retryPauseMs, rewriteLimits, type WriteAnswer } from "./desired-machine.ts";

const path = "/3/0/15";
const nowMs = 10_000_000;

const aWish = (state: WishState, more: Partial<Wish> = {}): Wish => ({
  type: "string",
  value: "CET",
  secret: false,
  changedAt: 1_000,
  source: "tester",
  traceId: "0",
  state,
  failures: 0,
  rewrites: [],
  ...more,
});

const states = {
  fresh: { kind: "pending", since: 1_000, isTold: false },
  pending: { kind: "pending", since: 1_000, isTold: true },
  held: { kind: "held", since: 2_000, by: "acknowledged" },
  refused: { kind: "refused", since: 1_000, reason: "device-rejected", coapCode: "4.05", detail: null, retryAt: null, against: "1" },
  later: { kind: "refused", since: 1_000, reason: "no-answer", coapCode: null, detail: null, retryAt: nowMs + 1, against: "1" },
  conflict: { kind: "conflict", since: 1_000 },
} as const satisfies { readonly [name: string]: WishState };

interface Case {
  readonly policy?: ConflictPolicy;
  readonly reported?: Json;
  readonly observedAt?: number;
  readonly answer?: WriteAnswer;
  readonly against?: string;
  readonly at?: number;
  readonly wish?: Partial<Wish>;
}

function lookAt(
  state: WishState,
  { policy = "server", reported, observedAt = 5_000, answer, against = "1", at = nowMs, wish = {} }: Case,
): Look {
  const known: Reported | undefined = reported === undefined ? undefined : { value: reported, observedAt };
  return look(
    { wishes: { [path]: aWish(state, wish) }, writes: answer === undefined ? {} : { [path]: "old" } },
    {
      nowMs: at,
      policy,
      wishedAt: () => (wish.secret === true ? "CET" : (wish.value ?? "CET")),
      reportedOf: () => known,
      answers: new Map(answer === undefined ? [] : [[path, answer]]),
      againstOf: () => against,
      newId: () => "new",
    },
  );
}

/** The state it comes to, the write that is open then, and what is told. */
function summary({ state, news }: Look): string {
  const wish = state.wishes[path];
  const write = state.writes[path];
  const told = news.map((one) => (one.kind === "converged" ? `+${one.by}` : `-${[one.reason, one.resolution].filter(Boolean).join(":")}`));
  return [wish?.state.kind, ...(write === undefined ? [] : [write]), ...told].join(" ");
}

const open = (value: Json = "CET"): WriteAnswer => ({ kind: "open", value });
const done = (value: Json = "CET"): WriteAnswer => ({ kind: "succeeded", value });
const refusal = (isFinal: boolean): WriteAnswer => ({
  kind: "refused",
  value: "CET",
  reason: "device-rejected",
  coapCode: "4.05",
  detail: null,
  isFinal,
});

const table: readonly (readonly [keyof typeof states, Case, string])[] = [
  // A wish that is new.
  ["fresh", {}, "pending new -desired"],
  ["fresh", { reported: "UTC" }, "pending new -desired"],
  ["fresh", { reported: "CET" }, "held"],
  ["fresh", { reported: "CET", answer: open("UTC") }, "pending old -desired"],
  ["fresh", { reported: "CET", answer: done("UTC") }, "held"],
  ["fresh", { answer: open() }, "pending old -desired"],
  // Waiting for its write.
  ["pending", {}, "pending new"],
  ["pending", { answer: open() }, "pending old"],
  ["pending", { answer: open("UTC") }, "pending old"],
  ["pending", { answer: open(), reported: "CET" }, "held old +reported"],
  ["pending", { answer: done() }, "held +acknowledged"],
  ["pending", { answer: done(), reported: "CET" }, "held +acknowledged"],
  ["pending", { answer: done("UTC") }, "pending new"],
  ["pending", { answer: { kind: "dropped" } }, "pending new"],
  ["pending", { answer: refusal(true) }, "refused -refused"],
  ["pending", { answer: refusal(false) }, "refused -refused"],
  ["pending", { answer: refusal(false), wish: { failures: 1 } }, "refused"],
  ["pending", { answer: refusal(true), reported: "CET" }, "held -refused +reported"],
  ["pending", { answer: { ...refusal(true), value: "UTC" } as WriteAnswer }, "pending new"],
  // Acknowledged, and by the time of the look already something else.
  ["pending", { answer: done(), reported: "UTC" }, "pending new +acknowledged -reported:server"],
  ["pending", { answer: done(), reported: "UTC", policy: "device" }, "held +acknowledged -reported:device +followed"],
  // Held.
  ["held", {}, "held"],
  ["held", { reported: "CET" }, "held"],
  ["held", { reported: "UTC" }, "pending new -reported:server"],
  ["held", { reported: "UTC", policy: "device" }, "held -reported:device +followed"],
  ["held", { reported: "UTC", policy: "newest" }, "held -reported:device +followed"],
  ["held", { reported: "UTC", policy: "newest", observedAt: 999 }, "pending new -reported:server"],
  ["held", { reported: "UTC", policy: "newest", observedAt: 1_000 }, "pending new -reported:server"],
  ["held", { reported: "UTC", wish: { secret: true, value: null } }, "held"],
  ["held", { reported: "UTC", wish: { rewrites: [1, 2, 3, 4, 5].map((n) => nowMs - n) } }, "conflict -reported:none"],
  [
    "held",
    { reported: "UTC", wish: { rewrites: [1, 2, 3, 4, rewriteLimits.withinMs].map((n) => nowMs - n) } },
    "pending new -reported:server",
  ],
  // Refused for good.
  ["refused", {}, "refused"],
  ["refused", { against: "2" }, "pending new"],
  ["refused", { at: nowMs * 100 }, "refused"],
  ["refused", { reported: "CET" }, "held +reported"],
  // Refused for now: nothing shortens its pause.
  ["later", {}, "refused"],
  ["later", { against: "2" }, "refused"],
  ["later", { at: nowMs + 1 }, "pending new"],
  ["later", { reported: "CET" }, "held +reported"],
  // Left as a conflict.
  ["conflict", { reported: "UTC" }, "conflict"],
  ["conflict", { reported: "UTC", policy: "device" }, "conflict"],
  ["conflict", { at: nowMs * 100 }, "conflict"],
  ["conflict", { reported: "CET" }, "held +reported"],
];

describe("one look at a wish", () => {
  for (const [state, circumstances, expected] of table) {
    test(`${state} ${JSON.stringify(circumstances)}: ${expected}`, () => {
      const looked = lookAt(states[state], circumstances);
      assert.equal(summary(looked), expected);
      assert.equal(looked.followed, expected.includes("+followed"));
    });
  }

  test("what a look comes to is at rest: the next one, with its write open, changes nothing", () => {
    for (const [state, circumstances] of table) {
      const { answer: _, ...rest } = circumstances;
      const first = lookAt(states[state], circumstances);
      const wish = first.state.wishes[path];
      assert.ok(wish);
      const written = wish.secret ? "CET" : wish.value;
      const second = look(first.state, {
        nowMs: circumstances.at ?? nowMs,
        policy: circumstances.policy ?? "server",
        wishedAt: () => written,
        reportedOf: () => (rest.reported === undefined ? undefined : { value: rest.reported, observedAt: rest.observedAt ?? 5_000 }),
        answers: new Map(
          first.state.writes[path] === undefined
            ? []
            : [[path, open(circumstances.answer?.kind === "open" ? circumstances.answer.value : written)]],
        ),
        againstOf: () => circumstances.against ?? "1",
        newId: () => "another",
      });
      assert.deepEqual([second.changed, second.news], [false, []], `${state} ${JSON.stringify(circumstances)}`);
    }
  });

  test("a wish that is gone: its open write is kept in mind until it is over", () => {
    const seen = {
      nowMs,
      policy: "server",
      wishedAt: () => null,
      reportedOf: () => undefined,
      againstOf: () => "",
      newId: () => "new",
    } as const;
    const state = { wishes: {}, writes: { [path]: "old" } };
    assert.deepEqual(look(state, { ...seen, answers: new Map([[path, open()]]) }).state, state);
    assert.deepEqual(look(state, { ...seen, answers: new Map([[path, done()]]) }).state, { wishes: {}, writes: {} });
  });

  test("the next turn is the earliest of those refused for now; pauses grow fourfold, to a day", () => {
    assert.equal(lookAt(states.later, {}).wakeAt, nowMs + 1);
    assert.equal(lookAt(states.refused, {}).wakeAt, null);
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7, 40].map((n) => retryPauseMs(n) / 60_000),
      [1, 4, 16, 64, 256, 1_024, 1_440, 1_440],
    );
  });

  test("nothing of a secret is in what is told", () => {
    for (const [state, circumstances] of table) {
      const { news } = lookAt(states[state], { ...circumstances, wish: { ...circumstances.wish, secret: true, value: null } });
      assert.ok(!JSON.stringify(news).includes("CET"), JSON.stringify(news));
    }
  });

  test("a write is wanted while its wish waits for this very value", () => {
    assert.equal(isWanted(aWish(states.pending), "CET", "CET"), true);
    assert.equal(isWanted(aWish(states.pending), "CET", "UTC"), false);
    assert.equal(isWanted(aWish(states.held), "CET", "CET"), false);
    assert.equal(isWanted(undefined, "CET", "CET"), false);
  });
});

describe("values", () => {
  test("LwM2M Core 1.1 appendix C: a float that travelled with 32 bits is the same; any other value is so when its JSON is", () => {
    assert.equal(isSameValue("float", 0.1, Math.fround(0.1)), true);
    assert.equal(isSameValue("float", 0.1, 0.1001), false);
    assert.equal(isSameValue("integer", 1, 2), false);
    assert.equal(isSameValue("integer", "9007199254740993", "9007199254740993"), true);
    assert.equal(isSameValue(null, true, 1), false);
    assert.equal(isSameValue("float", { 0: 0.1 }, { 0: Math.fround(0.1) }), true);
    assert.equal(isSameValue("string", { 0: "a" }, { 0: "a", 1: "b" }), false);
    assert.equal(isSameValue("string", { 0: "a" }, { 1: "a" }), false);
    assert.equal(isSameValue("string", {}, {}), true);
  });

  test("of a multi-instance resource its instances count together, those of its neighbours do not", () => {
    const known = (value: Json, observedAt: number) =>
      ({ type: "integer", value, source: "read", observedAt, receivedAt: observedAt }) as const;
    const values = { "/3/0/7/0": known(1, 10), "/3/0/7/1": known(2, 20), "/3/0/70/0": known(3, 30), "/3/0/15": known("UTC", 40) };
    assert.deepEqual(reportedAt(values, "/3/0/7", { 0: 5 }), { value: { 0: 1, 1: 2 }, observedAt: 20 });
    assert.equal(reportedAt(values, "/3/0/8", {}), undefined);
    assert.equal(reportedAt(values, "/3/0/15", "CET")?.value, "UTC");
    assert.equal(reportedAt(values, "/3/0/14", "CET"), undefined);
  });
});
