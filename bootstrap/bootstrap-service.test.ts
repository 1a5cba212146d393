import assert from "node:assert/strict";
import { test } from "node:test";
import type { BootstrapServiceDeps } from "./bootstrap-service.ts";
import { inWorld, kinds, obedient } from "./session-fixture.ts";
import { text } from "./testing/scripted-device.ts";

test("LwM2M Core 1.1 §6.1.7: 2.04, then Delete, Write /0, Write /1 and Finish, one after the other, in TLV", () =>
  inWorld(async ({ clock, notices, device }) => {
    const dev1 = device(obedient);
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    assert.deepEqual(dev1.seen, ["-> 2.04", "DELETE /1", "PUT /0/1 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
    // TLV by hand: 8-bit resource ids; /1/0/0 101, /1/0/1 300, /1/0/6 true, /1/0/7 "U".
    assert.equal(Buffer.from(dev1.payloads[2] ?? []).toString("hex"), "c10065c201012cc10601c10755");
    const uri = Buffer.from("coap://192.0.2.1:5683").toString("hex");
    assert.equal(Buffer.from(dev1.payloads[1] ?? []).toString("hex"), `c80015${uri}c10100c10203c003c004c005c10a65`);
    assert.deepEqual(kinds(notices), ["started", "Delete /1 2.02", "Write /0/1 2.04", "Write /1/0 2.04", "Finish 2.04", "finished"]);
    assert.deepEqual(notices.at(-1), {
      at: notices.at(-1)?.at,
      address: "192.0.2.9:49152",
      kind: "finished",
      endpointName: "dev1",
      refused: 0,
      durationMs: 80,
    });
  }));

test("LwM2M Core 1.1 §6.1.7.3: the bootstrap account the device reports keeps its number, pct chooses SenML CBOR", () =>
  inWorld(async ({ clock, device }) => {
    const dev2 = device(obedient);
    dev2.post("bs", ["ep=dev2", "pct=112"]);
    await clock.advance(1_000);
    assert.deepEqual(dev2.seen, [
      "-> 2.04",
      "DELETE /0",
      "DELETE /1",
      "GET /0 accept 40",
      "PUT /0/2 format 112",
      "PUT /1/0 format 112",
      "POST /bs",
    ]);
  }));

test("a device that cannot answer Discover still gets its accounts, away from the numbers of bootstrap accounts", () =>
  inWorld(async ({ clock, notices, device }) => {
    for (const answer of [{ code: "4.05" }, { code: "2.05", contentFormat: 40, payload: text("</0/") }]) {
      const dev2 = device((request) => (request.line.startsWith("GET") ? answer : obedient(request)));
      dev2.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(dev2.seen.slice(4), ["PUT /0/10 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
    }
    assert.deepEqual(
      notices.filter(({ kind }) => kind === "finished").map((notice) => (notice.kind === "finished" ? notice.refused : undefined)),
      [1, 0],
    );
  }));

test("an error answer to a delete or write goes on record and the session on; Finish decides (4.06: inconsistent)", () =>
  inWorld(async ({ clock, notices, device }) => {
    const dev1 = device(({ line }) => ({ code: line.startsWith("DELETE") ? "4.04" : line === "POST /bs" ? "4.06" : "2.01" }));
    dev1.post("bs", ["ep=dev1"]);
    await clock.advance(1_000);
    assert.deepEqual(kinds(notices), [
      "started",
      "Delete /1 4.04",
      "Write /0/1 2.01",
      "Write /1/0 2.01",
      "Finish 4.06",
      "failed finish-rejected",
    ]);
  }));

test("table of codes: who is refused, and why", () =>
  inWorld(async ({ clock, notices, device }) => {
    const stranger = device(obedient);
    for (const [path, ...query] of [
      ["bs"],
      ["bs", "ep=unknown"],
      ["bs", "ep=dev1", "pct=11544"],
      ["bs", "ep=dev1", "pct=x"],
      ["rd", "ep=dev1"],
      ["bspack", "ep=dev1"],
    ]) {
      stranger.post(path ?? "", query);
      await clock.advance(1_000);
    }
    assert.deepEqual(stranger.seen, ["-> 4.00", "-> 4.00", "-> 4.15", "-> 4.00", "-> 4.04", "-> 5.01"]);
    assert.deepEqual(new Set(kinds(notices)), new Set(["refused"]));
  }));

test("no key is ever told: notices of a session with a PSK", () =>
  inWorld(async ({ clock, notices, device }) => {
    device(obedient).post("bs", ["ep=dev3"]);
    await clock.advance(1_000);
    assert.equal(kinds(notices).at(-1), "finished");
    assert.doesNotMatch(JSON.stringify(notices), /a2V5a2V5|keykey|6b65796b6579/);
  }));

test("RFC 6690 §4: /.well-known/core lists /bs, and is no bootstrap request", () =>
  inWorld(async ({ clock, notices, device }) => {
    const dev1 = device(obedient);
    dev1.get([".well-known", "core"]);
    await clock.advance(1_000);
    assert.deepEqual([dev1.seen, dev1.lastReply], [["-> 2.05"], '</bs>;rt="core.bs"']);
    assert.deepEqual(notices, []);
  }));

test("LwM2M Core 1.1 §6.1.7.1: who asks is told by whoever knows credentials: its name counts, anybody else gets 4.00 and no configuration", async () => {
  const asked: (string | undefined)[] = [];
  const admit: NonNullable<BootstrapServiceDeps["admit"]> = async (_peer, endpointName) => {
    asked.push(endpointName);
    return endpointName === "dev1" ? { ok: true, endpoint: "dev2" } : { ok: false, detail: "not this one" };
  };
  await inWorld(
    async ({ clock, notices, device }) => {
      const made = device(() => ({ code: "2.04" }));
      made.post("bs", ["ep=dev3"]);
      await clock.advance(1_000);
      assert.deepEqual([made.seen.at(-1), made.lastReply], ["-> 4.00", "not this one"]);
      made.post("bs", ["ep=dev1"]);
      await clock.advance(5_000);
      assert.deepEqual(asked, ["dev3", "dev1"]);
      assert.deepEqual(
        notices.filter(({ kind }) => kind !== "answered").map(({ kind, endpointName }) => `${kind} ${endpointName}`),
        ["refused dev3", "started dev2", "finished dev2"],
      );
    },
    { admit },
  );
});
