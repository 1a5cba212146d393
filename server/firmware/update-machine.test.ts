import assert from "node:assert/strict";
import { test } from "node:test";
import { finalStates } from "./update.ts";
import { updateLimits } from "./update-limits.ts";
import { step } from "./update-machine.ts";
import { aLook, anUpdate, now, rows, source } from "./update-machine-vectors.ts";
import type { UpdateEvent, UpdateFacts } from "./update-step.ts";

for (const { title, update, event, expected } of rows) {
  test(`${source}: ${update.state ?? "pending"}, ${event.kind}: ${title}`, () => {
    const taken = step(anUpdate(update), event, updateLimits, now);
    const compared = Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(taken, key)]));
    assert.deepEqual(compared, expected);
  });
}

test(`${source}: every walk over random looks ends, and success needs Result 1 and the version`, () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = sequence(seed);
    let update = anUpdate({ attempt: 0, expiresAt: now + 50_000_000 });
    let time = now;
    let applies = 0;
    for (let i = 0; i < 5_000 && !finalStates.includes(update.state); i += 1) {
      const event = randomEvent(update, next, time);
      const taken = step(update, event, updateLimits, time);
      if (taken.state === "succeeded") {
        assert.ok(event.kind === "looked" && event.seen.result === 1 && event.seen.version === "2.0", `seed ${seed}`);
      }
      if (taken.effect === "apply") {
        assert.ok(event.kind === "looked" && event.seen.state === 2, `seed ${seed}: Execute without a look at State 2`);
        applies += 1;
      }
      const { effect, wakeAt: _wakeAt, failure: _failure, detail: _detail, via: _via, ...stated } = taken;
      const offered =
        effect === "offer" ? { attempt: update.attempt + (update.state === "offering" ? 0 : 1), applies: 0, offerRefusal: null } : {};
      const stateSince = taken.state === update.state ? update.stateSince : time;
      update = { ...update, ...stated, ...offered, stateSince };
      time = Math.max(time + 1, taken.wakeAt);
    }
    assert.ok(finalStates.includes(update.state), `seed ${seed}: still ${update.state}`);
    assert.ok(applies <= 20, `seed ${seed}: ${applies} Executes`);
  }
});

function sequence(seed: number): (bound: number) => number {
  let state = seed * 2_654_435_761;
  return (bound) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 1) >>> 0;
    return state % bound;
  };
}

function randomEvent(update: UpdateFacts, next: (bound: number) => number, at: number): UpdateEvent {
  switch (next(8)) {
    case 0:
      return { kind: "due" };
    case 1:
      return { kind: "unreachable" };
    case 2:
      if (update.state === "offering") return { kind: "offer-answered", accepted: true, detail: "" };
      return { kind: "due" };
    case 3:
      if (update.state === "applying") return { kind: "apply-answered", outcome: next(2) === 0 ? "accepted" : "unknown", detail: "" };
      return { kind: "due" };
    default:
      return aLook({ state: next(4), result: next(12), version: next(3) === 0 ? "2.0" : "1.0", at });
  }
}
