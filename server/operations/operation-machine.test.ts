import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, Operation, OperationKind, OperationStatus } from "./operation.ts";
import { type OperationEvent, operationLimits, step } from "./operation-machine.ts";

const nowMs = 1_000_000;

function anOperation(fields: Partial<Operation> = {}): Operation {
  return {
    _id: "01HZ0000000000000000000000",
    endpoint: "dev-1",
    kind: "read",
    path: "/3/0/9",
    status: "queued",
    reason: null,
    detail: null,
    coapCode: null,
    result: null,
    attempts: [],
    createdBy: "test",
    traceId: "t",
    queuedAt: 0,
    expiresAt: nowMs + 60_000,
    sentAt: null,
    finishedAt: null,
    open: true,
    rev: 3,
    outbox: [],
    hasOutbox: false,
    ...fields,
  };
}

const attempt: Attempt = { at: nowMs - 10, token: "aa", roundTripMs: null, bytesUp: 0, bytesDown: 10, outcome: "no-answer" };
const done = { result: { kind: "done" }, reason: null, coapCode: "2.04", detail: null } as const;

const events: { readonly [name: string]: OperationEvent } = {
  claim: { kind: "claim", owner: "process 2" },
  putBack: { kind: "putBack" },
  finish: { kind: "finish", attempt, ...done },
  reject: { kind: "finish", attempt, ...done, result: null, reason: "device-rejected", coapCode: "4.05" },
  unanswered: { kind: "unanswered", attempt, reason: "no-answer", detail: null },
  interrupt: { kind: "interrupt", attempt: undefined, detail: "stopped" },
  refuse: { kind: "refuse", reason: "path-not-in-model", detail: "gone" },
  expire: { kind: "expire" },
  cancel: { kind: "cancel", detail: "taken back" },
};

/** Status after the event, `-` where it does not apply; rows by kind and status, columns by event. */
const table: readonly (readonly [OperationKind, OperationStatus, { readonly [event: string]: string }])[] = [
  ["read", "queued", { claim: "leased", refuse: "failed", expire: "expired", cancel: "cancelled" }],
  ["read", "leased", { putBack: "queued", finish: "succeeded", reject: "failed", unanswered: "queued", interrupt: "queued" }],
  ["execute", "queued", { claim: "sent", refuse: "failed", expire: "expired", cancel: "cancelled" }],
  ["execute", "sent", { putBack: "queued", finish: "succeeded", reject: "failed", unanswered: "failed", interrupt: "failed" }],
  ["create", "queued", { claim: "sent", refuse: "failed", expire: "expired", cancel: "cancelled" }],
  ["create", "sent", { putBack: "queued", finish: "succeeded", reject: "failed", unanswered: "failed", interrupt: "failed" }],
  ["delete", "leased", { putBack: "queued", finish: "succeeded", reject: "failed", unanswered: "queued", interrupt: "queued" }],
  ["read", "succeeded", {}],
  ["read", "failed", {}],
  ["read", "expired", {}],
  ["read", "cancelled", {}],
];

describe("operation machine: state × event", () => {
  for (const [kind, status, expected] of table) {
    test(`${kind} that is ${status}`, () => {
      const open = ["queued", "leased", "sent"].includes(status);
      for (const [name, event] of Object.entries(events)) {
        const taken = step(anOperation({ kind, status, open }), event, nowMs);
        assert.equal(taken?.change.status ?? "-", expected[name] ?? "-", name);
        if (taken === undefined) continue;
        const isFinal = !["queued", "leased", "sent"].includes(taken.change.status ?? "");
        assert.equal(taken.change.open, isFinal ? false : undefined, name);
        assert.equal(taken.change.finishedAt, isFinal ? nowMs : undefined, name);
        assert.equal(
          taken.events.some(({ type }) => type === `operation.${taken.change.status}`),
          isFinal || taken.change.status === "sent",
          name,
        );
      }
    });
  }
});

test("an Execute without an answer is outcome-unknown, with retryExecute it is repeated", () => {
  const execute = anOperation({ kind: "execute", status: "sent", sentAt: nowMs });
  for (const name of ["unanswered", "interrupt"]) {
    const event = events[name];
    assert.ok(event);
    assert.equal(step(execute, event, nowMs)?.change.reason, "outcome-unknown");
    assert.equal(step({ ...execute, retryExecute: true }, event, nowMs)?.change.status, "queued");
  }
});

test("attempts without an answer are counted, interrupted ones are not", () => {
  const unanswered = events["unanswered"];
  assert.ok(unanswered);
  const before = Array.from({ length: operationLimits.maxAttempts - 1 }, () => attempt);
  const last = step(anOperation({ status: "leased", attempts: before }), unanswered, nowMs);
  assert.deepEqual([last?.change.status, last?.change.reason], ["failed", "no-answer"]);
  const interrupted = before.map((each) => ({ ...each, outcome: "interrupted" }));
  assert.equal(step(anOperation({ status: "leased", attempts: interrupted }), unanswered, nowMs)?.change.status, "queued");
});

test("interruptions are counted by themselves: a request that restarts its device does not do so for ever", () => {
  const event = { kind: "interrupt", attempt: { ...attempt, outcome: "interrupted" }, detail: "it registered anew" } as const;
  const after = (count: number) =>
    step(anOperation({ status: "leased", attempts: Array.from({ length: count }, () => event.attempt) }), event, nowMs)?.change;
  assert.equal(after(operationLimits.maxInterruptions - 2)?.status, "queued");
  const last = after(operationLimits.maxInterruptions - 1);
  assert.deepEqual([last?.status, last?.reason, last?.detail], ["failed", "no-answer", "it registered anew, as it was 5 times"]);
});

test("what comes back after its time is expired; onOffline fail does not wait", () => {
  const unanswered = events["unanswered"];
  assert.ok(unanswered);
  assert.equal(step(anOperation({ status: "leased", expiresAt: nowMs }), unanswered, nowMs)?.change.status, "expired");
  const offline = step(anOperation({ status: "leased", onOffline: "fail" }), unanswered, nowMs);
  assert.deepEqual([offline?.change.status, offline?.change.reason], ["failed", "no-answer"]);
});

test("operation.sent is told once, in order, with the end of what was only leased", () => {
  const finish = events["finish"];
  const claim = events["claim"];
  assert.ok(finish && claim);
  const read = step(anOperation({ status: "leased" }), finish, nowMs);
  assert.deepEqual(
    read?.events.map(({ type, key }) => [type, key]),
    [
      ["operation.sent", "operation/01HZ0000000000000000000000/4/operation.sent"],
      ["operation.succeeded", "operation/01HZ0000000000000000000000/4/operation.succeeded"],
    ],
  );
  assert.deepEqual(
    step(anOperation({ kind: "execute" }), claim, nowMs)?.events.map(({ type }) => type),
    ["operation.sent"],
  );
  const executed = step(anOperation({ kind: "execute", status: "sent", sentAt: nowMs - 10 }), finish, nowMs);
  assert.deepEqual(
    executed?.events.map(({ type }) => type),
    ["operation.succeeded"],
  );
});

test("attempts kept for show are bounded", () => {
  const many = Array.from({ length: 50 }, () => ({ ...attempt, outcome: "interrupted" }));
  const finish = events["finish"];
  assert.ok(finish);
  assert.equal(
    step(anOperation({ status: "leased", attempts: many }), finish, nowMs)?.change.attempts?.length,
    operationLimits.keptAttempts,
  );
});

test("each claim names its owner and has a higher epoch than the last; what is in the air cannot be claimed", () => {
  const claim = (owner: string, fields: Partial<Operation>) => step(anOperation(fields), { kind: "claim", owner }, nowMs)?.change.claim;
  for (const kind of ["read", "execute"] as const) {
    assert.deepEqual(claim("process 1", { kind }), { owner: "process 1", epoch: 1 });
    assert.deepEqual(claim("process 2", { kind, claim: { owner: "process 1", epoch: 4 } }), { owner: "process 2", epoch: 5 });
    assert.equal(claim("process 2", { kind, status: "leased", claim: { owner: "process 1", epoch: 4 } }), undefined);
    assert.equal(claim("process 2", { kind, status: "sent" }), undefined, "nor by an earlier version");
  }
  const held = anOperation({ status: "leased", claim: { owner: "process 1", epoch: 4 } });
  const back = step(held, { kind: "interrupt", attempt: undefined, detail: "gone" }, nowMs);
  assert.deepEqual([back?.change.status, back?.change.claim], ["queued", undefined], "the claim stays, so that its epoch goes on rising");
});
