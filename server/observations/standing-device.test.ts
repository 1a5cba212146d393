import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { Json } from "../storage/collection.ts";
import { at } from "../testing/rest.ts";
import { content, senmlValue } from "../testing/scripted-device.ts";
import { ask, cancel, minuteMs, path, standingFleet } from "./standing-fixture.ts";

const { fleet, rest, register, post, deviceOf, stateOf, restart } = standingFleet();

describe("of one device", () => {
  test("LwM2M Core 1.1 §6.4.1: asked once, shown and counted; over our restart its token goes on, and nothing is asked again", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path: "temperature/0/sensorValue" });
    assert.deepEqual(device.asked, [ask]);
    const shown = await rest("GET", `/observations/${id}`);
    assert.deepEqual(
      [at(shown.body, "kind"), at(shown.body, "path"), at(shown.body, "restore"), at(shown.body, "state")],
      ["standing", path, "always", "standing"],
    );
    assert.deepEqual(at(shown.body, "devices"), { pending: 0, active: 1, refused: 0, unsupported: 0, ended: 0, leaving: 0 });
    await restart();
    assert.deepEqual(await fleet.world.until(device.notify(path, senmlValue(path, 21))), { ok: true });
    assert.deepEqual(device.asked, [ask]);
    const all = await rest("GET", "/observations?endpoint=a");
    assert.deepEqual(
      [at(all.body, "items", 0, "id"), at(all.body, "items", 0, "standing", 0), at(all.body, "items", 1, "id")],
      [`${path}@a`, id, id],
    );
    const told = (await fleet.world.eventsOf(id)).map(({ type }) => type);
    assert.deepEqual(told, ["observation.created"]);
    assert.ok((await fleet.world.eventTypes("a")).includes("observation.started"));
  });

  test("registers anew: asked anew, one relation; gone: waits for it", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    const before = await fleet.world.until(fleet.world.server.observations.find("a", path));
    await device.restart();
    await device.register();
    await fleet.world.clock.advance(1_000);
    assert.deepEqual(device.asked, [ask, ask]);
    const after = await fleet.world.until(fleet.world.server.observations.find("a", path));
    assert.notEqual(after?.relation?.token, before?.relation?.token);
    await device.deregister();
    await fleet.world.clock.advance(100);
    assert.deepEqual(await deviceOf(id, "a").then((each) => [each?.state, each?.reason]), ["pending", "registration"]);
    await device.register();
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 3]);
  });

  test("restore never: what was granted ends with its registration, and is shown so", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path, restore: "never" });
    await restart();
    assert.equal(await stateOf(id, "a"), "active", "our restart ends nothing");
    await device.restart();
    await device.register();
    await fleet.world.clock.advance(minuteMs);
    assert.deepEqual(await deviceOf(id, "a").then((each) => [each?.state, each?.reason]), ["ended", "registration-ended"]);
    assert.deepEqual(device.asked, [ask]);
    assert.equal((await rest("PATCH", `/observations/${id}`, { body: { restore: "always" } })).status, 200);
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 2]);
  });

  test("refused: with its code and when it is tried again; tried then, and at once when the device registers anew", async () => {
    const device = await register("a");
    device.answers.set(`GET ${path}`, { code: ResponseCode.methodNotAllowed });
    const id = await post({ endpoint: "a", path });
    const refused = await rest("GET", `/observations/${id}/devices?state=refused`);
    const [from, to] = [at(refused.body, "items", 0, "since"), at(refused.body, "items", 0, "retryAt")];
    assert.deepEqual([at(refused.body, "items", 0, "coapCode"), at(refused.body, "items", 0, "reason")], ["4.05", "device-rejected"]);
    assert.equal(Math.round(((findInstant(String(to)) ?? 0) - (findInstant(String(from)) ?? 0)) / minuteMs), 10);
    await fleet.world.clock.advance(9 * minuteMs);
    assert.equal(device.asked.length, 1);
    await fleet.world.clock.advance(2 * minuteMs);
    assert.equal(device.asked.length, 2);
    await fleet.world.clock.advance(30 * minuteMs);
    assert.equal(device.asked.length, 2, "an hour, the second time");
    await restart();
    assert.equal(device.asked.length, 2, "kept over our restart");
    device.answers.set(`GET ${path}`, senmlValue(path, 1));
    await device.restart();
    await device.register();
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 3]);
    assert.ok((await fleet.world.eventTypes("a")).includes("observation.refused"));
  });

  test("RFC 7641 §4.2: an error notification ends the relation; the wish stands and is tried again", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    await fleet.world.until(device.notify(path, { code: ResponseCode.notFound }));
    await fleet.world.clock.advance(1_000);
    const ended = await deviceOf(id, "a");
    assert.deepEqual([ended?.state, ended?.reason, ended?.coapCode], ["refused", "device-ended", "4.04"]);
    await fleet.world.clock.advance(11 * minuteMs);
    assert.deepEqual([await stateOf(id, "a"), device.asked.length], ["active", 2]);
  });

  test("removed: cancelled at the device, then gone; asleep, the device is told at its next notification", async () => {
    const device = await register("a");
    const id = await post({ endpoint: "a", path });
    const removed = await rest("DELETE", `/observations/${id}`);
    assert.deepEqual([removed.status, at(removed.body, "state")], [202, "ending"]);
    await fleet.world.clock.advance(3_000);
    assert.deepEqual(device.asked, [ask, cancel]);
    await fleet.world.clock.advance(2 * minuteMs);
    assert.equal((await rest("GET", `/observations/${id}`)).status, "not-found");
    assert.equal((await rest("GET", "/observations?endpoint=a")).status, 200);
    assert.deepEqual(at((await rest("GET", "/observations?endpoint=a")).body, "items"), []);

    const sleepy = await register("b", ["lt=864000", "lwm2m=1.1", "b=U", "Q"]);
    const other = await post({ endpoint: "b", path });
    await fleet.world.clock.advance(100_000);
    await rest("DELETE", `/observations/${other}`);
    await fleet.world.clock.advance(3 * minuteMs);
    assert.equal((await rest("GET", `/observations/${other}`)).status, "not-found");
    assert.deepEqual(sleepy.asked, [ask]);
    assert.notDeepEqual(await fleet.world.until(sleepy.notify(path, senmlValue(path, 3))), { ok: true }, "RFC 7641 §3.6: refused");
  });

  test("asleep: pending until it wakes, says so, and is asked at its next sign of life", async () => {
    const device = await register("a", ["lt=864000", "lwm2m=1.1", "b=U", "Q"]);
    await fleet.world.clock.advance(100_000);
    const id = await post({ endpoint: "a", path });
    const shown = await rest("GET", `/observations/${id}/devices`);
    assert.deepEqual([at(shown.body, "items", 0, "state"), at(shown.body, "items", 0, "waitingFor", "code")], ["pending", "wake-up"]);
    await restart();
    assert.deepEqual(device.asked, []);
    await device.update();
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(id, "a")], [[ask], "active"]);
  });

  test("LwM2M Core 1.2 §5.1.2: other attributes: cancelled and asked anew; at a 1.1 device those that are over are removed", async () => {
    const device = await register("a");
    for (const query of ["pmin=5&gt=30", "pmin=10&gt"]) device.answers.set(`PUT ${path}?${query}`, { code: ResponseCode.changed });
    const id = await post({ endpoint: "a", path, attributes: { pmin: 5, gt: 30 } });
    await rest("PATCH", `/observations/${id}`, { body: { attributes: { pmin: 10 } } });
    await fleet.world.clock.advance(1_000);
    assert.deepEqual(device.asked, [`PUT ${path}?pmin=5&gt=30`, ask, cancel, `PUT ${path}?pmin=10&gt`, ask]);
    assert.equal(await stateOf(id, "a"), "active");
    await fleet.world.clock.advance(minuteMs);
    assert.equal(device.asked.length, 5, "and then it is as wished");
  });

  test("an operation cancels it there until the device registers anew; two wishes of one target are one relation", async () => {
    const device = await register("a");
    const first = await post({ endpoint: "a", path });
    const second = await post({ endpoint: "a", path, attributes: { pmin: 3 } });
    assert.deepEqual([device.asked, await stateOf(first, "a"), await stateOf(second, "a")], [[ask], "active", "active"]);
    await rest("DELETE", `/observations/${second}`);
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(first, "a")], [[ask], "active"]);
    await fleet.world.carryOut("a", { kind: "cancelObserve", path });
    await fleet.world.clock.advance(minuteMs);
    assert.deepEqual(await deviceOf(first, "a").then((each) => [each?.state, each?.reason]), ["ended", "cancelled"]);
    await device.register();
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(first, "a")], [[ask, cancel, ask], "active"]);
  });

  test("an observe operation and a standing one: one relation, which outlives either", async () => {
    const device = await register("a");
    await fleet.world.carryOut("a", { kind: "observe", path });
    const id = await post({ endpoint: "a", path });
    assert.deepEqual([device.asked, await stateOf(id, "a")], [[ask], "active"]);
    await rest("DELETE", `/observations/${id}`);
    await fleet.world.clock.advance(3 * minuteMs);
    assert.deepEqual(device.asked, [ask]);
    assert.equal((await fleet.world.until(fleet.world.server.observations.find("a", path)))?.state, "active");
  });

  test("what the device's version or objects do not have is unsupported, and asked when they have", async () => {
    const device = await register("a", ["lt=864000", "lwm2m=1.0", "b=U"]);
    const composite = await post({ endpoint: "a", paths: [path, "/3/0/9"] });
    const edge = await post({ endpoint: "a", path: "/3342/0/5500", attributes: { edge: 1 } });
    const other = await post({ endpoint: "a", path: "/3304/0/5700" });
    assert.deepEqual(
      [await deviceOf(composite, "a"), await deviceOf(edge, "a"), await deviceOf(other, "a")].map((each) => [each?.state, each?.reason]),
      [
        ["unsupported", "not-in-device-version"],
        ["unsupported", "path-not-in-model"],
        ["unsupported", "path-not-in-model"],
      ],
    );
    assert.deepEqual(device.asked, []);
    device.answers.set("GET /3304/0/5700", senmlValue("/3304/0/5700", 55));
    await device.update([], '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3304/0>');
    await fleet.world.clock.advance(1_000);
    assert.deepEqual([device.asked, await stateOf(other, "a")], [["GET /3304/0/5700 observe 0"], "active"]);
    device.answers.set("FETCH /", content(`[{"n":"/3/0/9","v":55},{"n":"${path}","v":20.5}]`));
    await device.register({ query: ["lt=864000", "lwm2m=1.1", "b=U"] });
    await fleet.world.clock.advance(1_000);
    assert.equal(await stateOf(composite, "a"), "active");
  });

  test("deleted with the device; strict bodies", async () => {
    await register("a");
    const id = await post({ endpoint: "a", path });
    assert.equal((await rest("DELETE", "/devices/a")).status, 204);
    await fleet.world.clock.advance(2 * minuteMs);
    assert.equal((await rest("GET", `/observations/${id}`)).status, "not-found");
    await register("b");
    for (const [body, problem] of [
      [{ path }, "bad-request"],
      [{ endpoint: "b", group: "x", path }, "bad-request"],
      [{ endpoint: "b", path, paths: [path] }, "bad-request"],
      [{ endpoint: "b" }, "bad-request"],
      [{ endpoint: "b", path, colour: 1 }, "bad-request"],
      [{ endpoint: "b", path, attributes: { pmin: null } }, "bad-request"],
      [{ endpoint: "nobody", path }, "device-unknown"],
      [{ group: "01H00000000000000000000000", path }, "not-found"],
      [{ endpoint: "b", path: "no/such/name" }, "path-not-in-model"],
      [{ endpoint: "b", path: "/3/0/4" }, "operation-not-allowed"],
      [{ endpoint: "b", path, attributes: { lt: 5, gt: 1 } }, "value-type-mismatch"],
      [{ endpoint: "b", path, attributes: { colour: 1 } }, "value-type-mismatch"],
    ] as const)
      assert.equal((await rest("POST", "/observations", { body: body as Json })).status, problem, JSON.stringify(body));
  });
});
