import assert from "node:assert/strict";
import { test } from "node:test";
import { noChanges, type RegistrationEvent, type RegistrationParameters, type RegistrationState, step } from "./registration-machine.ts";

const parameters: RegistrationParameters = { updateAfterMs: 207_000, retryCount: 5, retryTimerMs: 60_000, bootstrapOnFailure: false };
const location = ["rd", "a1"];
const lifetime = { ...noChanges, lifetime: true };
const objects = { ...noChanges, objects: true };

/** Plays events and tells, for each, the state and the effects in short. */
function play(start: RegistrationState, events: readonly RegistrationEvent[], given: Partial<RegistrationParameters> = {}) {
  let state = start;
  const lines: string[] = [];
  for (const event of events) {
    const [next, effects] = step(state, event, { ...parameters, ...given });
    state = next;
    const shown = effects.map((effect) => {
      if (effect.kind === "arm") return `arm ${effect.delayMs ?? "off"}`;
      if (effect.kind === "send-update")
        return `update ${
          Object.entries(effect.changes)
            .filter(([, yes]) => yes)
            .map(([name]) => name)
            .join("+") || "empty"
        }`;
      return effect.kind;
    });
    lines.push(`${event.kind}: ${state.kind} | ${shown.filter((line) => line !== "arm off").join(", ")}`);
  }
  return lines;
}

const registered: RegistrationState = { kind: "registered", location };

test("LwM2M Core 1.1 §6.2: register, update before the lifetime ends, de-register", () => {
  assert.deepEqual(
    play({ kind: "off" }, [
      { kind: "start" },
      { kind: "registered", location },
      { kind: "due" },
      { kind: "updated" },
      { kind: "stop" },
      { kind: "deregistered" },
    ]),
    [
      "start: registering | send-register",
      "registered: registered | arm 207000",
      "due: updating | update empty",
      "updated: registered | arm 207000",
      "stop: deregistering | abandon-request, send-deregister",
      "deregistered: off | ",
    ],
  );
});

test("LwM2M Core 1.1 §6.2.1.1: retries after the retry timer times 2^(n-1), then at the longest delay", () => {
  const refused: RegistrationEvent = { kind: "unanswered" };
  const due: RegistrationEvent = { kind: "due" };
  const events = [{ kind: "start" } as const, refused, due, refused, due, refused, due, refused, due, refused, due, refused];
  const delays = play({ kind: "off" }, events).flatMap((line) => /arm (\d+)/.exec(line)?.[1] ?? []);
  assert.deepEqual(delays, ["60000", "120000", "240000", "480000", "960000", "960000"]);
});

test("LwM2M Core 1.1 §6.2.1.1: after the last attempt comes bootstrap, where there is a bootstrap server", () => {
  const events: RegistrationEvent[] = [
    { kind: "start" },
    { kind: "refused", maxAgeMs: 0 },
    { kind: "due" },
    { kind: "refused", maxAgeMs: 0 },
  ];
  assert.equal(play({ kind: "off" }, events, { retryCount: 2, bootstrapOnFailure: true }).at(-1), "refused: off | bootstrap");
});

test("RFC 7252 §5.9.3.4: 5.03 with Max-Age keeps the device away for at least that long", () => {
  assert.deepEqual(play({ kind: "registering", attempt: 1, late: undefined }, [{ kind: "refused", maxAgeMs: 300_000 }]), [
    "refused: waiting | arm 300000",
  ]);
});

test("LightweightM2M-1.1-int-105: a discarded Update leads to a new registration", () => {
  for (const event of [{ kind: "refused", maxAgeMs: 0 }, { kind: "unanswered" }] as const) {
    assert.deepEqual(play({ kind: "updating", location, late: undefined }, [event]), [`${event.kind}: registering | send-register`]);
  }
});

test("LwM2M Core 1.1 §6.2.2: what changes during an Update leaves in the next one", () => {
  const events: RegistrationEvent[] = [
    { kind: "change", changes: lifetime },
    { kind: "change", changes: objects },
    { kind: "change", changes: lifetime },
    { kind: "updated" },
    { kind: "updated" },
  ];
  assert.deepEqual(play(registered, events), [
    "change: updating | update lifetime",
    "change: updating | ",
    "change: updating | ",
    "updated: updating | update lifetime+objects",
    "updated: registered | arm 207000",
  ]);
});

test("LwM2M Core 1.1 §6.2.2: the update trigger sends an Update without parameters", () => {
  assert.deepEqual(play(registered, [{ kind: "change", changes: noChanges }]), ["change: updating | update empty"]);
});

test("LightweightM2M-1.0-int-103: Disable de-registers and registers again after the timeout", () => {
  assert.deepEqual(play(registered, [{ kind: "disable", disableMs: 86_400_000 }, { kind: "deregistered" }, { kind: "due" }]), [
    "disable: deregistering | abandon-request, send-deregister",
    "deregistered: disabled | arm 86400000",
    "due: registering | send-register",
  ]);
});

test("LwM2M object 1: an infinite lifetime needs no Update", () => {
  assert.deepEqual(
    play({ kind: "registering", attempt: 1, late: undefined }, [{ kind: "registered", location }], { updateAfterMs: undefined }),
    ["registered: registered | "],
  );
});

test("LwM2M Core 1.1 §6.2.1.1: a lost security session ends in a new registration, after a while", () => {
  const lost: RegistrationEvent = { kind: "lost", delayMs: 500 };
  assert.deepEqual(play(registered, [lost, { kind: "due" }, lost]), [
    "lost: waiting | arm 500",
    "due: registering | send-register",
    "lost: waiting | abandon-request, arm 60000",
  ]);
  assert.deepEqual(play({ kind: "updating", location, late: lifetime }, [lost]), ["lost: waiting | abandon-request, arm 500"]);
  const states: RegistrationState[] = [
    { kind: "off" },
    { kind: "waiting", attempt: 2 },
    { kind: "deregistering", disableMs: undefined },
    { kind: "disabled" },
  ];
  for (const state of states) assert.equal(step(state, lost, parameters)[0], state);
});

test("registration machine: an answer that comes late changes nothing", () => {
  const states: RegistrationState[] = [{ kind: "off" }, { kind: "waiting", attempt: 1 }, { kind: "disabled" }, registered];
  for (const state of states) {
    for (const event of [
      { kind: "registered", location },
      { kind: "updated" },
      { kind: "unanswered" },
      { kind: "deregistered" },
    ] as const) {
      assert.equal(step(state, event, parameters)[0], state);
    }
  }
});
