/** ETSI CoAP plugtest, TD_COAP_OBS, with this endpoint as the server and messages from another codec; there is no OBS_03. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress, type World } from "../testing/coap-world.ts";
import { type PacketAnswer, PacketPeer } from "../testing/packet-peer.ts";
import { largeBody, observedMaxAgeSeconds, PlugtestSite } from "../testing/plugtest-site.ts";
import { Method, ResponseCode } from "./codes.ts";

const encoder = new TextEncoder();
const observe = (value: number): readonly [string, Uint8Array] => ["Observe", value === 0 ? new Uint8Array(0) : Uint8Array.of(value)];

interface Scene {
  readonly peer: PacketPeer;
  readonly site: PlugtestSite;
  readonly world: World;
  /** A change of the resource, and what the observer hears of it. */
  change(body: string, confirmable?: boolean, ms?: number): Promise<PacketAnswer[]>;
}

/** A peer that observes `path`, its first answer checked. */
async function observing(path: string, run: (scene: Scene) => Promise<void>, type: "CON" | "NON" = "CON"): Promise<void> {
  const world = openWorld();
  const site = new PlugtestSite(world.endpoint(), world.clock);
  const peer = new PacketPeer(world.scripted());
  const first = await peer.askOne({ code: "0.01", path, options: [observe(0)], type });
  assert.deepEqual([first.code, first.token], ["2.05", "77"]);
  assert.notEqual(first.uint("Observe"), undefined, "the relation stands");
  assert.equal(first.uint("Max-Age"), observedMaxAgeSeconds);
  const pending: Promise<void>[] = [];
  const change: Scene["change"] = (body, confirmable = true, ms = 100) => {
    pending.push(site.change(path.slice(1), encoder.encode(body), confirmable));
    return peer.listen(ms);
  };
  await run({ peer, site, world, change });
  await world.clock.advance(300_000);
  await Promise.all(pending);
  await world.end();
}

const summaryOf = ({ type, code, token, payload }: PacketAnswer): string => `${type} ${code} ${token} ${payload}`;

test("TD_COAP_OBS_01: notifications, confirmable, in order", () =>
  observing("/obs", async ({ peer, change }) => {
    const numbers: number[] = [];
    for (const body of ["1", "2", "3"]) {
      const [notification, ...more] = await change(body);
      assert.ok(notification && more.length === 0);
      assert.equal(summaryOf(notification), `CON 2.05 77 ${body}`);
      numbers.push(notification.uint("Observe") ?? -1);
      peer.acknowledge(notification);
    }
    assert.deepEqual(numbers, [2, 3, 4]);
  }));

test("TD_COAP_OBS_02: notifications, non-confirmable", () =>
  observing(
    "/obs-non",
    async ({ change }) => {
      for (const body of ["1", "2"]) assert.deepEqual((await change(body, false)).map(summaryOf), [`NON 2.05 77 ${body}`]);
    },
    "NON",
  ));

test("TD_COAP_OBS_04: every notification says with Max-Age when the next is due, so that a client sees a relation that is gone", () =>
  observing("/obs", async ({ peer, change }) => {
    const [notification] = await change("1");
    assert.ok(notification);
    assert.equal(notification.uint("Max-Age"), observedMaxAgeSeconds);
    peer.acknowledge(notification);
  }));

test("TD_COAP_OBS_05: a client that is off: the notification is given up, the relation with it", () =>
  observing("/obs", async ({ site, change }) => {
    assert.equal((await change("1", true, 93_000)).length, 5, "MAX_RETRANSMIT is 4");
    assert.equal(site.observers.get("obs")?.size, 0);
    assert.deepEqual(await change("2"), []);
  }));

test("TD_COAP_OBS_06: RST to a notification ends the relation", () =>
  observing("/obs", async ({ peer, site, change }) => {
    const [notification] = await change("1");
    assert.ok(notification);
    peer.reset(notification);
    assert.deepEqual(await peer.listen(), []);
    assert.equal(site.observers.get("obs")?.size, 0);
    assert.deepEqual(await change("2"), []);
  }));

for (const { id, title, code, text } of [
  { id: "07", title: "the resource is deleted: 4.04 without Observe, then silence", code: ResponseCode.notFound, text: "4.04" },
  { id: "08", title: "its Content-Format changes: 4.06 without Observe, then silence", code: ResponseCode.notAcceptable, text: "4.06" },
]) {
  test(`TD_COAP_OBS_${id}: ${title}`, () =>
    observing("/obs", async ({ peer, site, change }) => {
      const ended = site.endRelations("obs", code);
      const [last] = await peer.listen();
      assert.ok(last);
      assert.deepEqual([last.type, last.code, last.token, last.uint("Observe")], ["CON", text, "77", undefined]);
      peer.acknowledge(last);
      assert.deepEqual(await peer.listen(), []);
      await ended;
      assert.equal(site.observers.get("obs")?.size, 0);
      assert.deepEqual(await change("1"), []);
    }));
}

test("TD_COAP_OBS_09: a PUT of another client shows in the next notification", () =>
  observing("/obs", async ({ peer, world, change }) => {
    const other = new PacketPeer(world.scripted({ address: "10.0.1.9", port: 9 }));
    assert.equal((await other.askOne({ code: "0.03", path: "/obs", payload: "put" })).code, "2.04");
    const [notification] = await change("put");
    assert.ok(notification);
    assert.equal(notification.payload, "put");
    peer.acknowledge(notification);
  }));

test("TD_COAP_OBS_10: a plain GET with another token does not end the relation", () =>
  observing("/obs", async ({ peer, change }) => {
    const plain = await peer.askOne({ code: "0.01", path: "/obs", token: "88" });
    assert.deepEqual([plain.code, plain.uint("Observe")], ["2.05", undefined]);
    const [notification] = await change("1");
    assert.ok(notification);
    assert.equal(notification.token, "77");
    peer.acknowledge(notification);
  }));

test("TD_COAP_OBS_11: lossy: the notification is repeated until it is acknowledged, the next one follows", () =>
  observing("/obs", async ({ peer, change }) => {
    const copies = await change("1", true, 4_000);
    assert.equal(copies.length, 2);
    assert.equal(copies[0]?.hex, copies[1]?.hex);
    assert.ok(copies[0]);
    peer.acknowledge(copies[0]);
    await peer.listen();
    const [next] = await change("2");
    assert.ok(next);
    assert.equal(next.payload, "2");
    peer.acknowledge(next);
  }));

test("TD_COAP_OBS_12: GET with Observe 1 and the same token ends the relation", () =>
  observing("/obs", async ({ peer, site, change }) => {
    const answer = await peer.askOne({ code: "0.01", path: "/obs", options: [observe(1)] });
    assert.deepEqual([answer.code, answer.uint("Observe")], ["2.05", undefined]);
    assert.equal(site.observers.get("obs")?.size, 0);
    assert.deepEqual(await change("1"), []);
  }));

for (const { id, title, bodies } of [
  { id: "13", title: "a large resource", bodies: ["x".repeat(1_500)] },
  { id: "14", title: "a large resource whose size changes", bodies: ["x".repeat(3_000), "y", "z".repeat(1_025)] },
]) {
  test(`TD_COAP_OBS_${id}: ${title}: the first block is the notification, the others are fetched without Observe`, () =>
    observing("/obs-large", async ({ peer, change }) => {
      for (const body of bodies) {
        const [notification] = await change(body);
        assert.ok(notification);
        peer.acknowledge(notification);
        let received = notification.payload;
        const first = notification.uint("Block2");
        assert.equal(first, body.length > 1_024 ? 0x0e : undefined);
        for (let number = 1, more = first !== undefined; more; number++) {
          const next = await peer.askOne({
            code: "0.01",
            path: "/obs-large",
            token: "99",
            options: [["Block2", Uint8Array.of((number << 4) | 6)]],
          });
          assert.equal(next.uint("Observe"), undefined);
          more = ((next.uint("Block2") ?? 0) & 8) !== 0;
          received += next.payload;
        }
        assert.equal(received, body);
      }
    }));
}

test("TD_COAP_OBS_01, _12, _13 as client and server on one network: notified of a large change, then cancelled", async () => {
  const world = openWorld();
  const site = new PlugtestSite(world.endpoint(deviceAddress), world.clock);
  const client = world.endpoint(serverAddress);
  const seen: number[] = [];
  const outcome = await world.clock.until(
    client.observe(
      client.peerAt(deviceAddress),
      { method: Method.get, path: ["obs-large"] },
      { onNotification: ({ payload }) => void seen.push(payload.length), onEnd: () => {} },
    ),
  );
  assert.ok(outcome.ok && outcome.observing);
  assert.equal(outcome.response.payload.length, largeBody.length);
  await world.clock.until(site.change("obs-large", new Uint8Array(2_500)));
  assert.deepEqual(seen, [2_500]);
  assert.equal((await world.clock.until(outcome.observation.cancel("active"))).ok, true);
  assert.equal(site.observers.get("obs-large")?.size, 0);
  await world.end();
});
