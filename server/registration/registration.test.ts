import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { oneDevice } from "../testing/one-device.ts";
import { bytes, codeOf, ScriptedDevice } from "../testing/scripted-device.ts";

const one = oneDevice();

const registration = (endpoint = "dev-1") => one.world.until(one.world.server.registrations.find(endpoint));

describe("LwM2M Core 1.1 §6.2.1 Register", () => {
  test("2.01 with an unguessable location below /rd; what was said is stored, the unknown kept", async () => {
    const links = '</>;rt="oma.lwm2m";ct="110 112",</1/0>,</3>;ver=1.0,</3/0>,</3303/1>,</3303/0>';
    const query = ["lt=120", "lwm2m=1.1", "b=U", "Q", "sms=4915112345", "site=roof"];
    const response = await one.device.register({ query, links });
    assert.equal(codeOf(response), "2.01");
    assert.equal(response.locationPath[0], "rd");
    assert.match(response.locationPath[1] ?? "", /^[A-Za-z0-9_-]{22}$/);
    const stored = await registration();
    assert.ok(stored);
    const { lwm2mVersion, lifetimeSeconds, binding, queueMode, smsNumber, extraParameters, contentFormats, rootPath, address } = stored;
    assert.deepEqual(
      { lwm2mVersion, lifetimeSeconds, binding, queueMode, smsNumber, extraParameters, contentFormats, rootPath, address },
      {
        lwm2mVersion: "1.1",
        lifetimeSeconds: 120,
        binding: "U",
        queueMode: true,
        smsNumber: "4915112345",
        extraParameters: { site: "roof" },
        contentFormats: [110, 112],
        rootPath: "",
        address: one.device.address,
      },
    );
    assert.deepEqual(stored.objects, [
      { id: 1, version: "1.1", instances: [0] },
      { id: 3, version: "1.0", instances: [0] },
      { id: 3303, version: "1.0", instances: [0, 1] },
    ]);
    assert.deepEqual((await one.world.eventTypes("dev-1")).toSorted(), ["device.awake", "device.created", "device.registered"]);
  });

  test("the reply leaves only after the registration is durable: it is there after a kill", async () => {
    await one.device.register();
    await one.world.kill();
    await one.world.start();
    assert.equal((await registration())?.lifetimeSeconds, 300);
    assert.deepEqual(await one.world.eventTypes("dev-1"), ["device.created", "device.registered"]);
  });

  test("a store that is gone is 5.03, and nothing is registered", async () => {
    const { StorageUnavailableError } = await import("../storage/collection.ts");
    await one.world.clock.advance(100);
    one.world.store.fail(new StorageUnavailableError("gone"));
    const response = await one.device.register();
    assert.equal(codeOf(response), "5.03");
    assert.equal(response.maxAgeSeconds, 30);
    one.world.store.fail(undefined);
    assert.equal(await registration(), undefined);
  });

  test("a second Register replaces the first: another location, the old one dead, one device", async () => {
    const first = await one.device.register();
    const second = await one.device.register({ query: ["lt=60", "lwm2m=1.0", "b=UQ"], links: "</3/0>" });
    assert.notDeepEqual(first.locationPath, second.locationPath);
    assert.equal(codeOf(await one.device.send({ method: Method.post, path: first.locationPath })), "4.04");
    assert.equal(codeOf(await one.device.send({ method: Method.post, path: second.locationPath })), "2.04");
    const stored = await registration();
    assert.equal(stored?.queueMode, true);
    assert.deepEqual(stored?.contentFormats, []);
    assert.equal(stored?.smsNumber, undefined);
    assert.equal((await one.world.until(one.world.server.devices.list({ limit: 10 }))).length, 1);
    const registered = (await one.world.eventsOf("dev-1")).filter(({ type }) => type === "device.registered");
    assert.deepEqual(
      registered.map(({ data }) => (data as { replaced: boolean }).replaced),
      [false, true],
    );
  });

  test("alternate root path and legacy deviations are read, and the deviations recorded", async () => {
    await one.device.register({ query: ["lt=60", "b=U"], links: '</lwm2m>;rt="oma.lwm2m", </lwm2m/3/0>,</lwm2m/0/0>' });
    const stored = await registration();
    assert.equal(stored?.rootPath, "lwm2m");
    assert.equal(stored?.lwm2mVersion, "1.0");
    assert.deepEqual(
      stored?.objects.map(({ id }) => id),
      [3],
    );
    assert.ok(stored?.tolerances.includes("missing-version"), String(stored?.tolerances));
  });

  test("a parameter that is no name is left out and recorded, never a reason to refuse the device", async () => {
    const response = await one.device.register({ query: ["lt=120", "lwm2m=1.1", "$where=1", "a.b=2", "__proto__=3", "=4", "site=roof"] });
    assert.equal(codeOf(response), "2.01");
    const stored = await registration();
    assert.deepEqual(stored?.extraParameters, { site: "roof" });
    assert.deepEqual(stored.tolerances, ["ignored-parameter"]);
    assert.equal(codeOf(await one.device.update(["$set=1", "room=2"])), "2.04");
    assert.deepEqual((await registration())?.extraParameters, { site: "roof", room: "2" });
  });

  const refusals: readonly { what: string; query: readonly string[]; links?: string; format?: number; code: string }[] = [
    { what: "no ep", query: ["lt=60", "lwm2m=1.1"], code: "4.00" },
    { what: "ep with a control character", query: ["ep=a\0b", "lt=60", "lwm2m=1.1"], code: "4.00" },
    { what: "empty ep", query: ["ep=", "lt=60", "lwm2m=1.1"], code: "4.00" },
    { what: "lt that is no number", query: ["ep=a", "lt=soon", "lwm2m=1.1"], code: "4.00" },
    { what: "UQ in 1.1", query: ["ep=a", "lwm2m=1.1", "b=UQ"], code: "4.00" },
    { what: "UT in 1.0", query: ["ep=a", "lwm2m=1.0", "b=UT"], code: "4.00" },
    { what: "enabler version 3.0", query: ["ep=a", "lwm2m=3.0"], code: "4.12" },
    { what: "no object list", query: ["ep=a", "lwm2m=1.1"], links: "", code: "4.00" },
    { what: "a profile nobody knows and no list", query: ["ep=a", "lwm2m=1.2", "pid=6:27354b9a"], links: "", code: "4.09" },
    { what: "a list that is no link format", query: ["ep=a", "lwm2m=1.1"], links: "hello </3", code: "4.00" },
    { what: "a list in text/plain", query: ["ep=a", "lwm2m=1.1"], format: 0, code: "4.15" },
  ];
  for (const { what, query, links, format, code } of refusals) {
    test(`${what}: ${code}, nothing stored`, async () => {
      const payload = bytes(links ?? "</3/0>");
      const response = await one.device.send({ method: Method.post, path: ["rd"], query, contentFormat: format ?? 40, payload });
      assert.equal(codeOf(response), code, new TextDecoder().decode(response.payload));
      assert.deepEqual(await one.world.until(one.world.server.devices.list({ limit: 10 })), []);
    });
  }

  test("RFC 7252 §5.8: other methods 4.05, deeper paths and unknown prefixes 4.04; /.well-known/core lists the doors", async () => {
    assert.equal(codeOf(await one.device.send({ method: Method.get, path: ["rd"] })), "4.05");
    assert.equal(codeOf(await one.device.send({ method: Method.put, path: ["rd", "x"] })), "4.05");
    assert.equal(codeOf(await one.device.send({ method: Method.post, path: ["rd", "x", "y"] })), "4.04");
    assert.equal(codeOf(await one.device.send({ method: Method.delete, path: ["rd", ""] })), "4.05", "an empty last segment is none");
    assert.equal(codeOf(await one.device.send({ method: Method.get, path: ["nothing"] })), "4.04");
    const core = await one.device.send({ method: Method.get, path: [".well-known", "core"] });
    assert.equal(new TextDecoder().decode(core.payload), `</rd>;rt="core.rd";ct=40,</dp>;ct="110 112"`);
  });
});

describe("LwM2M Core 1.1 §6.2.2 Update", () => {
  test("an empty Update extends the lifetime and says nothing new: no event", async () => {
    await one.device.register();
    const before = await registration();
    await one.world.clock.advance(100_000);
    assert.equal(codeOf(await one.device.update()), "2.04");
    const after = await registration();
    assert.equal(after?.expiresAt, (after?.updatedAt ?? 0) + 300_000);
    assert.ok((after?.expiresAt ?? 0) > (before?.expiresAt ?? 0));
    assert.equal((await one.world.eventTypes("dev-1")).includes("device.updated"), false);
  });

  test("what it names changes, the rest stays; the object list is complete", async () => {
    await one.device.register();
    assert.equal(codeOf(await one.device.update(["lt=60"], "</1/0>,</3/0>,</3303/4>")), "2.04");
    const stored = await registration();
    assert.equal(stored?.lifetimeSeconds, 60);
    assert.equal(stored?.binding, "U");
    assert.deepEqual(stored?.contentFormats, [110], "the root link was not repeated");
    assert.deepEqual(stored?.objects.at(-1), { id: 3303, version: "1.0", instances: [4] });
    const updated = (await one.world.eventsOf("dev-1")).filter(({ type }) => type === "device.updated");
    assert.deepEqual(
      updated.map(({ data }) => (data as { changed: unknown }).changed),
      [["lifetimeSeconds", "objects"]],
    );
  });

  test("from a new address it takes the registration over (NoSec)", async () => {
    await one.device.register();
    const moved = new ScriptedDevice(one.world, { address: { address: "10.9.9.9", port: 1_024 } });
    moved.location = one.device.location;
    assert.equal(codeOf(await moved.update()), "2.04");
    assert.deepEqual((await registration())?.address, { address: "10.9.9.9", port: 1_024 });
    assert.equal(one.world.server.registrations.endpointAt(one.device.address), undefined);
    assert.equal(one.world.server.registrations.endpointAt(moved.address), "dev-1");
    await moved.close();
  });

  test("unknown location 4.04; bad parameters 4.00 and nothing changes", async () => {
    await one.device.register();
    assert.equal(codeOf(await one.device.send({ method: Method.post, path: ["rd", "nobody"] })), "4.04");
    assert.equal(codeOf(await one.device.update(["lt=-1"])), "4.00");
    assert.equal(codeOf(await one.device.update(["b=UQ"])), "4.00");
    assert.equal((await registration())?.lifetimeSeconds, 300);
  });
});

describe("LwM2M Core 1.1 §6.2.3 De-register, §6.2.1.2 lifetime", () => {
  test("2.02, then the location is unknown; the device stays known", async () => {
    await one.device.register();
    assert.equal(codeOf(await one.device.deregister()), "2.02");
    assert.equal(codeOf(await one.device.deregister()), "4.04");
    assert.equal(await registration(), undefined);
    assert.equal(one.world.server.registrations.isAwake("dev-1"), false);
    assert.equal(await one.world.until(one.world.server.devices.isKnown("dev-1")), true);
    assert.equal((await one.world.eventTypes("dev-1")).at(-1), "device.deregistered");
  });

  test("a lifetime that is over ends the registration with an event; a late Update is 4.04", async () => {
    await one.device.register({ query: ["lt=60", "lwm2m=1.1"] });
    await one.world.clock.advance(59_000);
    assert.ok(await registration());
    await one.world.clock.advance(1_100);
    assert.equal(await registration(), undefined);
    assert.equal((await one.world.eventTypes("dev-1")).at(-1), "device.expired");
    assert.equal(codeOf(await one.device.update()), "4.04");
  });

  test("one that ran out while the server was down is expired at the start, once", async () => {
    await one.device.register({ query: ["lt=60", "lwm2m=1.1"] });
    await one.world.kill();
    await one.world.clock.advance(3_600_000);
    await one.world.start();
    await one.world.clock.advance(1_000);
    assert.equal(await registration(), undefined);
    assert.equal((await one.world.eventTypes("dev-1")).filter((type) => type === "device.expired").length, 1);
  });

  test("lifetime 0 never ends", async () => {
    await one.device.register({ query: ["lt=0", "lwm2m=1.1"] });
    await one.world.clock.advance(86_400_000);
    assert.ok(await registration());
  });
});

describe("LwM2M Core 1.1 §6.5 queue mode", () => {
  test("awake for 93 s after each message, then asleep; one event each way", async () => {
    const { registrations } = one.world.server;
    await one.device.register({ query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    await one.world.clock.advance(80_000);
    assert.equal(registrations.isAwake("dev-1"), true);
    await one.device.update();
    await one.world.clock.advance(92_000);
    assert.equal(registrations.isAwake("dev-1"), true);
    await one.world.clock.advance(2_000);
    assert.equal(registrations.isAwake("dev-1"), false);
    const presence = (await one.world.eventTypes("dev-1")).filter((type) => /awake|asleep/.test(type));
    assert.deepEqual(presence, ["device.awake", "device.asleep"]);
  });

  test("a device without queue mode is always awake, also after our restart; one with it sleeps when its window is over, until it speaks", async () => {
    const sleepy = new ScriptedDevice(one.world, {
      endpoint: "dev-2",
      address: { address: "10.0.0.3", port: 1 },
      query: ["lt=9000", "lwm2m=1.1", "Q"],
    });
    await one.device.register();
    await sleepy.register();
    await one.world.kill();
    const { registrations } = await one.world.start();
    assert.deepEqual([registrations.isAwake("dev-1"), registrations.isAwake("dev-2")], [true, true]);
    await one.world.clock.advance(94_000);
    assert.deepEqual([registrations.isAwake("dev-1"), registrations.isAwake("dev-2")], [true, false]);
    await sleepy.update();
    assert.equal(registrations.isAwake("dev-2"), true);
    await sleepy.close();
  });

  test("the next contact is foreseen from the habit, else from the lifetime", async () => {
    await one.device.register({ query: ["lt=3600", "lwm2m=1.1", "Q"] });
    const first = await registration();
    assert.ok(first);
    assert.equal(one.world.server.registrations.nextExpectedContact(first), first.expiresAt);
    await one.world.clock.advance(600_000);
    await one.device.update();
    const second = await registration();
    assert.ok(second);
    const expected = one.world.server.registrations.nextExpectedContact(second) ?? 0;
    assert.ok(Math.abs(expected - (second.updatedAt + 600_000)) < 1_000, `${expected - second.updatedAt}`);
  });
});

test("devices: lastSeenAt is current for readers, and written at most once a minute", async () => {
  await one.device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  for (let i = 0; i < 10; i += 1) {
    await one.world.clock.advance(10_000);
    await one.device.update();
  }
  const seen = await one.world.until(one.world.server.devices.find("dev-1"));
  assert.ok(one.world.clock.now() - (seen?.lastSeenAt ?? 0) < 1_000);
  await one.world.kill();
  await one.world.start();
  const stored = await one.world.until(one.world.server.devices.find("dev-1"));
  const behind = one.world.clock.now() - (stored?.lastSeenAt ?? 0);
  assert.ok(behind > 1_000 && behind < 62_000, `${behind}`);
});
