import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openSession, type SessionEvent, type SessionState, step } from "./bootstrap-machine.ts";
import type { PlanStep } from "./bootstrap-plan.ts";

const remove: PlanStep = { kind: "delete", path: { objectId: 0 } };
const discover: PlanStep = { kind: "discover", path: { objectId: 0 } };
const write: PlanStep = { kind: "write", target: { objectId: 0, instanceId: "free" }, resources: new Map() };
const finish: PlanStep = { kind: "finish" };
const steps = [remove, discover, write, finish];
const numbered = (instanceId: number): PlanStep => ({ kind: "write", target: { objectId: 0, instanceId }, resources: new Map() });

const answer = (code: ResponseCode): SessionEvent => ({ kind: "answer", code });

test("LwM2M Core 1.1 §6.1.7: a session from the reply to Finish", () => {
  const found = [{ instanceId: 0, bootstrapAccount: true }];
  let state: SessionState = openSession(steps);
  const seen: unknown[] = [];
  for (const event of [
    { kind: "reply-left" },
    answer(ResponseCode.deleted),
    { kind: "answer", code: ResponseCode.content, found },
    answer(ResponseCode.changed),
    answer(ResponseCode.changed),
  ] satisfies SessionEvent[]) {
    const [next, effects] = step(state, event);
    state = next;
    seen.push([
      state.kind,
      ...effects.map((effect) => (effect.kind === "send" ? `send ${effect.step.kind}` : `${effect.code} ${effect.accepted}`)),
    ]);
    if (event.kind === "answer" && "found" in event) assert.deepEqual(effects.at(-1), { kind: "send", step: numbered(1) });
  }
  assert.deepEqual(seen, [
    ["running", "send delete"],
    ["running", "2.02 true", "send discover"],
    ["running", "2.05 true", "send write"],
    ["finishing", "2.04 true", "send finish"],
    ["finished", "2.04 true"],
  ]);
  assert.deepEqual(state, { kind: "finished", refused: 0 });
});

const requested: SessionState = openSession([finish]);
const writing: SessionState = { kind: "running", steps: [numbered(1), finish], index: 0, refused: 0 };
const finishing: SessionState = { kind: "finishing", refused: 1 };
const finished: SessionState = { kind: "finished", refused: 0 };
const failed: SessionState = { kind: "failed", reason: "no-answer", detail: "" };

const outcome = (state: SessionState): string =>
  state.kind === "failed" ? state.reason : state.kind === "finished" ? `finished ${state.refused}` : state.kind;

test("LwM2M Core 1.1 §6.1.7: every state against every event", () => {
  const events: Readonly<Record<string, SessionEvent>> = {
    replyLeft: { kind: "reply-left" },
    created: answer(ResponseCode.created),
    badRequest: answer(ResponseCode.badRequest),
    notAcceptable: answer(ResponseCode.notAcceptable),
    noAnswer: { kind: "no-answer", detail: "x" },
    superseded: { kind: "superseded" },
    deadline: { kind: "deadline" },
    closed: { kind: "closed" },
    internal: { kind: "internal", detail: "x" },
  };
  const table: readonly [SessionState, Readonly<Record<keyof typeof events, string>>][] = [
    [
      requested,
      { replyLeft: "finishing", created: "requested", badRequest: "requested", notAcceptable: "requested", noAnswer: "no-answer" },
    ],
    // A 2.01 is as good as a 2.04, and an error answer to a write does not end the session.
    [writing, { replyLeft: "running", created: "finishing", badRequest: "finishing", notAcceptable: "finishing", noAnswer: "no-answer" }],
    [
      finishing,
      {
        replyLeft: "finishing",
        created: "finished 1",
        badRequest: "finish-rejected",
        notAcceptable: "finish-rejected",
        noAnswer: "no-answer",
      },
    ],
    [
      finished,
      { replyLeft: "finished 0", created: "finished 0", badRequest: "finished 0", notAcceptable: "finished 0", noAnswer: "finished 0" },
    ],
    [failed, { replyLeft: "no-answer", created: "no-answer", badRequest: "no-answer", notAcceptable: "no-answer", noAnswer: "no-answer" }],
  ];
  for (const [state, expected] of table) {
    const ended = state.kind === "finished" || state.kind === "failed";
    for (const [name, event] of Object.entries(events)) {
      const [next, effects] = step(state, event);
      assert.equal(outcome(next), expected[name] ?? (ended ? outcome(state) : name), `${state.kind} ${name}`);
      if (ended) assert.deepEqual(effects, []);
    }
  }
});

test("an error answer is counted and recorded with its code", () => {
  assert.deepEqual(step(writing, answer(ResponseCode.badRequest)), [
    { kind: "finishing", refused: 1 },
    [
      { kind: "record", step: numbered(1), code: "4.00", accepted: false },
      { kind: "send", step: finish },
    ],
  ]);
});

test("a device that cannot be asked for its Security instances gets numbers above the usual ones", () => {
  const discovering: SessionState = { kind: "running", steps: [discover, write, finish], index: 0, refused: 0 };
  for (const event of [answer(ResponseCode.methodNotAllowed), answer(ResponseCode.content)])
    assert.deepEqual(step(discovering, event)[1].at(-1), { kind: "send", step: numbered(10) });
});

test("a plan without Finish is a bug", () => {
  assert.throws(() => openSession([remove]), /ends with Finish/);
});
