import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { typeLookup } from "@lwm2m/object-registry/type-lookup";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { linkProfiles } from "@lwm2m/protocol/coap/link-profiles";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type BootstrapServiceDeps, openBootstrapService, type SessionNotice } from "./bootstrap-service.ts";
import { readConfigFile } from "./config-file.ts";
import { aConfig, aSecurity, aServer } from "./testing/config-fixtures.ts";
import { type DeviceScript, ScriptedDevice, text } from "./testing/scripted-device.ts";

const typeOf = typeLookup(openCatalogue(), [], "1.1");
const numbered = aConfig({ deletes: ["/1"], security: [aSecurity({ instanceId: 1 })], servers: [aServer({ instanceId: 0 })] });
const long = aConfig({ deletes: ["/1/0", "/1/1", "/1/2", "/1/3", "/1/4", "/1/5", "/1/6", "/1/7"] });
const psk = aSecurity({ serverUri: "coaps://a:5684", mode: "psk", identity: "dev3", secretKey: "a2V5a2V5" });

/** A server, the devices a test asks for, and after it the proof that nothing was left open. */
async function inWorld(
  run: (world: {
    clock: VirtualClock;
    notices: SessionNotice[];
    device: (script: DeviceScript) => ScriptedDevice;
    stop: () => Promise<void>;
    /** Its connection is gone. */
    lose: (device: ScriptedDevice) => void;
  }) => Promise<void>,
  settings: Pick<BootstrapServiceDeps, "linkOf" | "maxSessions" | "strict" | "onTolerated" | "admit"> = {},
): Promise<void> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock, seededRandom(1));
  const address = { address: "192.0.2.1", port: 5783 };
  const bugs: unknown[] = [];
  const endpoint = openCoapEndpoint({ socket: network.socket(address), clock, random: seededRandom(2), onBug: (bug) => bugs.push(bug) });
  const file = readConfigFile(JSON.stringify({ dev1: numbered, dev2: aConfig(), dev3: aConfig({ security: [psk] }), dev4: long }));
  if (!file.ok) throw new Error(JSON.stringify(file.faults));
  const notices: SessionNotice[] = [];
  const service = openBootstrapService({
    endpoint,
    configs: file.configs,
    clock,
    typeOf,
    onSession: (notice) => notices.push(notice),
    ...settings,
  });
  const devices: ScriptedDevice[] = [];
  const device = (script: DeviceScript): ScriptedDevice => {
    const made = new ScriptedDevice(network.socket({ address: "192.0.2.9", port: 0 }), address, script);
    devices.push(made);
    return made;
  };
  try {
    await run({ clock, notices, device, stop: () => service.close(), lose: ({ local }) => service.noteLost(endpoint.peerAt(local).key) });
  } finally {
    await clock.until(Promise.all([service.close(), endpoint.close(), ...devices.map((made) => made.close())]).then(() => {}));
    network.close();
  }
  assert.deepEqual(bugs, []);
  assert.equal(clock.pendingTimers(), 0);
}

const obedient: DeviceScript = ({ line }) => {
  if (line.startsWith("DELETE")) return { code: "2.02" };
  if (line.startsWith("GET"))
    return { code: "2.05", contentFormat: 40, payload: text('</>;lwm2m=1.1,</0/0>,</0/1>;ssid=7;uri="coap://old"') };
  return { code: "2.04" };
};

const kinds = (notices: readonly SessionNotice[]): readonly string[] =>
  notices.map((notice) => {
    if (notice.kind === "answered") return `${notice.request} ${notice.code}`;
    if (notice.kind === "failed") return `failed ${notice.reason}`;
    return notice.kind;
  });

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

/** Writes answered 2.01 (eclipse-leshan/leshan#156), links with white space. */
const deviating: DeviceScript = (request) => {
  if (request.line.startsWith("PUT")) return { code: "2.01" };
  if (request.line.startsWith("GET")) return { code: "2.05", contentFormat: 40, payload: text("</>;lwm2m=1.1, </0/0>, </0/1>;ssid=7") };
  return obedient(request);
};

test("field deviations: a session with them goes on, and says which were let pass", async () => {
  const tolerated: string[] = [];
  const onTolerated = (endpointName: string, codes: readonly string[]): void => void tolerated.push(`${endpointName} ${codes.join(" ")}`);
  await inWorld(
    async ({ clock, notices, device }) => {
      const dev2 = device(deviating);
      dev2.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(dev2.seen.slice(4), ["PUT /0/2 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
      assert.equal(kinds(notices).at(-1), "finished");
    },
    { onTolerated },
  );
  assert.deepEqual(tolerated, ["dev2 link-whitespace", "dev2 unexpected-success-code", "dev2 unexpected-success-code"]);
});

test("field deviations: in strict mode each counts as a refusal, and the links are not read", async () => {
  const tolerated: string[] = [];
  await inWorld(
    async ({ clock, notices, device }) => {
      const dev2 = device(deviating);
      dev2.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(dev2.seen.slice(4), ["PUT /0/10 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
      const last = notices.at(-1);
      assert.ok(last?.kind === "finished" && last.refused === 3, JSON.stringify(last));
      const strictFinish = device((request) => (request.line === "POST /bs" ? { code: "2.01" } : obedient(request)));
      strictFinish.post("bs", ["ep=dev1"]);
      await clock.advance(1_000);
      assert.equal(kinds(notices).at(-1), "failed finish-rejected");
    },
    { strict: true, onTolerated: (endpointName) => void tolerated.push(endpointName) },
  );
  assert.deepEqual(tolerated, []);
});

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
