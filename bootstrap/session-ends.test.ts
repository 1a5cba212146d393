import assert from "node:assert/strict";
import { test } from "node:test";
import { linkProfiles } from "@lwm2m/protocol/coap/link-profiles";
import { inWorld, kinds, obedient } from "./session-fixture.ts";

test("RFC 7252 §4.2: a device that falls silent fails its session after MAX_TRANSMIT_WAIT, and may start over", () =>
  inWorld(async ({ clock, notices, device }) => {
    let asleep = true;
    const dev1 = device((request) => (asleep ? undefined : obedient(request)));
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(94_000);
    assert.deepEqual(dev1.seen, ["-> 2.04", ...new Array(5).fill("DELETE /1")]);
    assert.deepEqual(kinds(notices), ["started", "failed no-answer"]);
    asleep = false;
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    assert.equal(kinds(notices).at(-1), "finished");
  }));

test("LwM2M Core 1.1 §6.1.7.1: a session that is not finished within EXCHANGE_LIFETIME (247 s) is over", () =>
  inWorld(async ({ clock, notices, device }) => {
    // Every answer comes to the last repetition, half a minute or more after the request.
    const seen = new Map<string, number>();
    const slow = device((request) => {
      const times = (seen.get(request.line) ?? 0) + 1;
      seen.set(request.line, times);
      return times === 5 ? obedient(request) : undefined;
    });
    slow.post("bs", ["ep=dev4"]);
    await clock.advance(246_900);
    assert.equal(kinds(notices).at(-1)?.startsWith("failed"), false);
    await clock.advance(1_000);
    assert.equal(kinds(notices).at(-1), "failed deadline");
  }));

test("a second Bootstrap-Request of the same device ends the first session and starts over", () =>
  inWorld(async ({ clock, notices, device }) => {
    const before = device(() => undefined);
    before.post("bs", ["ep=dev1"]);
    await clock.advance(10_000);
    const after = device(obedient);
    after.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    assert.deepEqual(
      kinds(notices).filter((kind) => !/\d/.test(kind)),
      ["started", "failed superseded", "started", "finished"],
    );
    const silentFrom = before.seen.length;
    await clock.advance(100_000);
    assert.equal(before.seen.length, silentFrom, "the older session sends nothing more");
  }));

test("RFC 7252 §4.5: a repeated Bootstrap-Request is answered again and starts nothing", () =>
  inWorld(async ({ clock, notices, device }) => {
    const dev1 = device(obedient);
    dev1.post("bs", ["ep=dev1"], { messageId: 77 });
    dev1.post("bs", ["ep=dev1"], { messageId: 77 });
    await clock.advance(1_000);
    assert.equal(dev1.seen.filter((line) => line === "-> 2.04").length, 2);
    assert.equal(kinds(notices).filter((kind) => kind === "started").length, 1);
  }));

test("a non-confirmable Bootstrap-Request is served like any other", () =>
  inWorld(async ({ clock, notices, device }) => {
    const dev1 = device(obedient);
    dev1.post("bs", ["ep=dev1"], { confirmable: false });
    await clock.advance(1_000);
    assert.equal(dev1.seen[0], "-> 2.04");
    assert.equal(kinds(notices).at(-1), "finished");
  }));

test("more sessions than the limit are asked to come later (5.03), the open ones go on", () =>
  inWorld(
    async ({ clock, notices, device }) => {
      const silent = device(() => undefined);
      silent.post("bs", ["ep=dev1"]);
      await clock.advance(1_000);
      const late = device(obedient);
      late.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(late.seen, ["-> 5.03"]);
      assert.deepEqual(kinds(notices), ["started", "refused"]);
    },
    { maxSessions: 1 },
  ));

test("closing ends open sessions as closed, and what comes later is refused", () =>
  inWorld(async ({ clock, notices, device, stop }) => {
    const dev1 = device(() => undefined);
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    await stop();
    assert.deepEqual(kinds(notices), ["started", "failed closed"]);
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    assert.equal(dev1.seen.at(-1), "-> 5.03");
  }));

test("RFC 7252 §4.8, LwM2M Core 1.1 §6.1.7.1: a device with a link of its own is waited for as long as that takes, for this session", () =>
  inWorld(
    async ({ clock, notices, device }) => {
      const dev1 = device(() => undefined);
      dev1.post("bs", ["ep=dev1"]);
      await clock.advance(14_000);
      assert.deepEqual(dev1.seen, ["-> 2.04", "DELETE /1"], "no resend before 15 s");
      await clock.advance(9_000);
      assert.deepEqual(dev1.seen, ["-> 2.04", "DELETE /1", "DELETE /1"]);
      // MAX_TRANSMIT_WAIT without the random factor; EXCHANGE_LIFETIME of the link ends it at the latest.
      await clock.advance(465_000 - 24_000);
      assert.deepEqual(kinds(notices), ["started"]);
      await clock.advance(552_500 - 465_000 + 2_000);
      assert.match(kinds(notices)[1] ?? "", /^failed /);
    },
    { linkOf: (endpointName) => (endpointName === "dev1" ? linkProfiles.nbiot : undefined) },
  ));

test("a session whose secured connection is gone is over at once", async () => {
  await inWorld(async ({ clock, notices, device, lose }) => {
    const made = device(() => undefined);
    made.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    lose(made);
    const last = notices.at(-1);
    assert.equal(last?.kind === "failed" ? `${last.reason}: ${last.detail}` : last?.kind, "no-answer: the secured connection is gone");
    const count = notices.length;
    lose(made);
    await clock.advance(300_000);
    assert.equal(notices.length, count);
  });
});
