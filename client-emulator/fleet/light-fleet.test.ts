import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCode, Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { type FleetWorld, openFleetWorld } from "../testing/fleet-world.ts";
import type { FleetReport } from "./fleet-report.ts";

async function registered(world: FleetWorld): Promise<FleetReport> {
  await world.clock.until(world.fleet.register());
  return world.fleet.report();
}

/** Code and text of what one device answers. */
async function ask(world: FleetWorld, endpointName: string, request: OutgoingRequest): Promise<string> {
  const peer = world.peers.get(endpointName);
  assert.ok(peer, `${endpointName} has registered`);
  const outcome = await world.clock.until(world.server.request(peer, request));
  if (!outcome.ok) return outcome.reason;
  return `${formatCode(outcome.response.code)} ${Buffer.from(outcome.response.payload).toString("utf8")}`.trim();
}

const get = (path: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest => ({
  method: Method.get,
  path: path.split("/"),
  ...more,
});
const json = { accept: ContentFormat.senmlJson };
const noRates = { updatesPerSecond: 0, notificationsPerSecond: 0, sendsPerSecond: 0 };

test("LwM2M Core 1.1 §6.2.1: every device registers from an address of its own, at the rate that was asked for", async () => {
  const world = await openFleetWorld({ devices: 100, registrationsPerSecond: 20 });
  const report = await registered(world);
  assert.deepEqual([report.registered, report.givenUp, report.register.acknowledged, report.register.lost], [100, 0, 100, 0]);
  assert.equal(new Set([...world.peers.values()].map(({ key }) => key)).size, 100);
  assert.equal(world.seen[0], "0s 2 /rd?ep=light-0&lt=86400&lwm2m=1.1&b=U");
  const perSecond = [0, 1, 2, 3, 4].map((second) => world.seen.filter((line) => line.startsWith(`${second}s`)).length);
  assert.ok(
    perSecond.every((count) => count >= 18 && count <= 22),
    perSecond.join(),
  );
  // 10 ms each way.
  assert.deepEqual([report.register.latencyMs?.p50, report.register.latencyMs?.max], [20, 20]);
  await world.close();
});

test("RFC 7252 §5.9.3.4: 5.03 with Max-Age puts a registration off for as long as it says", async () => {
  const world = await openFleetWorld({ devices: 3 });
  let refusals = 0;
  world.answer = () => (refusals++ < 3 ? { code: ResponseCode.serviceUnavailable, maxAgeSeconds: 120 } : undefined);
  const report = await registered(world);
  assert.deepEqual([report.registered, report.register.acknowledged, report.register.refused], [3, 3, { "5.03": 3 }]);
  assert.deepEqual(
    world.seen.map((line) => line.split(" ")[0]),
    ["0s", "0s", "0s", "120s", "120s", "120s"],
  );
  await world.close();
});

test("a device that is refused again and again is given up, and said to be", async () => {
  const world = await openFleetWorld({ devices: 2 });
  world.answer = ({ query }) => (query.includes("ep=light-1") ? { code: ResponseCode.forbidden } : undefined);
  const report = await registered(world);
  assert.deepEqual([report.registered, report.givenUp, report.register.refused], [1, 1, { "4.03": 6 }]);
  await world.close();
});

test("updates and Sends at their rates, one device after the other, counted to the last", async () => {
  const world = await openFleetWorld();
  await registered(world);
  world.seen.length = 0;
  await world.clock.until(world.fleet.pace({ ...noRates, updatesPerSecond: 20, sendsPerSecond: 10 }, 5_000));
  const { update, send, load, datagrams } = world.fleet.report();
  // The last one falls due when the time is over.
  assert.deepEqual([update.sent, update.acknowledged, update.lost, send.sent, send.acknowledged], [99, 99, 0, 49, 49]);
  const perDevice = Array.from({ length: 10 }, (_, i) => world.seen.filter((line) => line.endsWith(` /rd/light-${i}`)).length);
  assert.ok(
    perDevice.every((count) => count === 9 || count === 10),
    perDevice.join(),
  );
  assert.deepEqual([update.latencyMs?.p99, load.skipped, datagrams.retransmissions, datagrams.duplicates], [20, 0, 0, 0]);
  await world.close();
});

test("RFC 7641 §4.2: confirmable notifications of every relation in turn, each with a new value", async () => {
  const world = await openFleetWorld({ devices: 2 });
  await registered(world);
  const values: string[] = [];
  for (const peer of world.peers.values()) {
    const listener = {
      onNotification: ({ payload }: { readonly payload: Uint8Array }) => void values.push(Buffer.from(payload).toString("utf8")),
      onEnd: () => {},
    };
    const outcome = await world.clock.until(world.server.observe(peer, get("3303/0/5700", json), listener));
    assert.ok(outcome.ok && outcome.observing);
  }
  assert.equal(world.fleet.report().observed, 2);
  values.length = 0;
  await world.clock.until(world.fleet.pace({ ...noRates, notificationsPerSecond: 10 }, 1_000));
  const { notification } = world.fleet.report();
  assert.deepEqual([notification.sent, notification.acknowledged, notification.lost, notification.latencyMs?.p99], [9, 9, 0, 20]);
  assert.equal(values.length, 9);
  assert.equal(new Set(values.slice(0, 2)).size, 2);
  assert.match(values[0] ?? "", /"bn":"\/3303\/0\/5700","v":20\.1/);
  await world.close();
});

test("a loss is a retransmission, a repeated acknowledgement, and no lost exchange", async () => {
  const world = await openFleetWorld({ devices: 1 });
  await registered(world);
  let dropped = 0;
  world.network.filter = ({ from }) => from.port !== 5_683 || dropped++ > 0;
  await world.clock.until(world.fleet.pace({ ...noRates, updatesPerSecond: 2 }, 600));
  const { update, datagrams } = world.fleet.report();
  assert.deepEqual([update.sent, update.acknowledged, update.repeated, datagrams.retransmissions], [1, 1, 1, 1]);
  // ACK_TIMEOUT to ACK_TIMEOUT × ACK_RANDOM_FACTOR, and 20 ms on the way (RFC 7252 §4.8).
  const latency = update.latencyMs?.max ?? 0;
  assert.ok(latency >= 2_000 && latency <= 3_020, String(latency));
  await world.close();
});

test("without an answer by the end of the grace, an exchange is lost", async () => {
  const world = await openFleetWorld({ devices: 1 });
  await registered(world);
  world.network.filter = ({ from }) => from.port !== 5_683;
  await world.clock.until(world.fleet.pace({ ...noRates, updatesPerSecond: 2 }, 600));
  assert.deepEqual([world.fleet.report().update.sent, world.fleet.report().update.lost], [1, 1]);
  await world.close();
});

test("LwM2M Core 1.1 §6.2.2: 4.04 to an Update makes the device register again, and its relations end", async () => {
  const world = await openFleetWorld({ devices: 1 });
  await registered(world);
  const [peer] = world.peers.values();
  assert.ok(peer);
  await world.clock.until(world.server.observe(peer, get("3303/0/5700"), { onNotification: () => {}, onEnd: () => {} }));
  world.answer = ({ path }) => (path.length === 2 ? { code: ResponseCode.notFound } : undefined);
  await world.clock.until(world.fleet.pace({ ...noRates, updatesPerSecond: 2 }, 600));
  const report = world.fleet.report();
  assert.deepEqual([report.update.refused, report.register.acknowledged, report.registered, report.observed], [{ "4.04": 1 }, 2, 1, 0]);
  await world.close();
});

test("LwM2M Core 1.1 §6.2.2: a load that outlasts the lifetime keeps the registrations alive", async () => {
  const world = await openFleetWorld({ devices: 4, lifetimeSeconds: 20 });
  await registered(world);
  await world.clock.until(world.fleet.pace(noRates, 30_000));
  assert.equal(world.fleet.report().update.acknowledged, 11);
  await world.close();
});

test("LwM2M Core 1.1 §6.3: reads, discovery, attributes and the update trigger; what a light device has not got is refused", async () => {
  const world = await openFleetWorld({ devices: 3 });
  await registered(world);
  const of = (request: OutgoingRequest) => ask(world, "light-2", request);
  assert.equal(await of(get("3/0/2", { accept: ContentFormat.text })), "2.05 light-2");
  assert.equal(await of(get("3303/0/5700", json)), '2.05 [{"bn":"/3303/0/5700","v":20.2}]');
  assert.match(await of(get("3", json)), /^2\.05 \[.*"Fleet".*"light-2"/);
  assert.equal(await of(get("3303/0", { accept: ContentFormat.text })), "4.06");
  assert.equal(await of(get("3303", { accept: ContentFormat.linkFormat })), "2.05 </3303>,</3303/0>,</3303/0/5700>,</3303/0/5701>");
  assert.equal(await of(get("3303/1")), "4.04");
  assert.equal(await of(get("nothing")), "4.04");
  assert.equal(await of({ method: Method.put, path: ["3303", "0", "5700"], query: ["pmin=10"] }), "2.04");
  assert.equal(await of({ method: Method.put, path: ["3", "0", "14"], contentFormat: 0, payload: new Uint8Array([43]) }), "4.04");
  assert.equal(await of({ method: Method.post, path: ["3", "0", "4"] }), "4.04");
  const paths = { contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode('[{"n":"/3/0/3"},{"n":"/3303/0/5701"}]') };
  assert.match(await of({ method: Method.fetch, path: [], ...paths }), /^2\.05 \[.*"1\.0\.0".*"Cel"/);
  assert.equal(await of({ method: Method.fetch, path: [], ...paths, payload: new TextEncoder().encode("{") }), "4.00");
  assert.equal(await of({ method: Method.post, path: ["1", "0", "8"] }), "2.04");
  await world.clock.advance(1_000);
  assert.equal(world.seen.at(-1)?.split(" ").slice(1).join(" "), "2 /rd/light-2");
  await world.close();
});

test("LwM2M Core 1.1 §6.5: in queue mode a device is deaf after its window, and hears again after an Update", async () => {
  const world = await openFleetWorld({ devices: 1, awakeMs: 5_000 });
  await registered(world);
  assert.match(world.seen[0] ?? "", /&b=U&Q$/);
  const read = get("3/0/2", { accept: ContentFormat.text });
  assert.equal(await ask(world, "light-0", read), "2.05 light-0");
  await world.clock.advance(6_000);
  assert.equal(await ask(world, "light-0", read), "no-answer");
  // MAX_RETRANSMIT is 4: five datagrams in all (RFC 7252 §4.8).
  assert.equal(world.fleet.report().datagrams.missedAsleep, 5);
  await world.clock.until(world.fleet.pace({ ...noRates, updatesPerSecond: 2 }, 600));
  assert.equal(await ask(world, "light-0", read), "2.05 light-0");
  await world.close();
});

test("pressed: so many at once, each again as soon as it is answered", async () => {
  const world = await openFleetWorld();
  await registered(world);
  world.fleet.clear();
  await world.clock.until(world.fleet.press("update", 4, 1_000));
  const { update, register } = world.fleet.report();
  // Four lanes, 20 ms for each exchange.
  assert.deepEqual([update.acknowledged, update.lost, register.sent], [200, 0, 0]);
  await world.close();
});

test("stopped in mid-load: it ends at once, and no device says goodbye", async () => {
  const world = await openFleetWorld();
  await registered(world);
  const load = world.fleet.pace({ ...noRates, updatesPerSecond: 10 }, 3_600_000);
  await world.clock.advance(2_000);
  world.fleet.stop();
  await world.clock.until(load, 1_000);
  assert.ok(world.seen.every((line) => line.includes(" 2 ")));
  assert.equal(world.fleet.report().registered, 10);
  await world.close();
});
