import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { EndpointCounters } from "./endpoint-contract.ts";

const encoder = new TextEncoder();

test("RFC 7252 §5.2.1: a request and its piggybacked response between two endpoints", async () => {
  const world = openWorld();
  const server = world.endpoint(serverAddress);
  const device = world.endpoint(deviceAddress);
  let left = false;
  server.handle((request) => {
    assert.deepEqual(request.path, ["rd"]);
    assert.deepEqual(request.query, ["ep=node", "lt=60"]);
    assert.equal(request.contentFormat, 40);
    assert.equal(new TextDecoder().decode(request.payload), "</3/0>");
    assert.deepEqual(request.peer, { key: server.peerAt(deviceAddress).key, address: deviceAddress, identity: { kind: "none" } });
    return {
      code: ResponseCode.created,
      locationPath: ["rd", "a1"],
      maxAgeSeconds: 30,
      afterSent: () => {
        left = world.network.traffic.length === 2;
      },
    };
  });
  const outcome = await world.clock.until(
    device.request(device.peerAt(serverAddress), {
      method: Method.post,
      path: ["rd"],
      query: ["ep=node", "lt=60"],
      contentFormat: 40,
      payload: encoder.encode("</3/0>"),
    }),
  );
  assert.ok(outcome.ok);
  assert.equal(outcome.response.code, ResponseCode.created);
  assert.deepEqual(outcome.response.locationPath, ["rd", "a1"]);
  assert.equal(outcome.response.maxAgeSeconds, 30);
  assert.equal(outcome.facts.datagramsSent, 1);
  assert.equal(outcome.facts.roundTripMs, 20);
  const counted: EndpointCounters = world.counters;
  assert.equal(counted["datagramsOut"], 1);
  assert.equal(left, true, "afterSent runs once the reply was handed to the socket");
  await world.end();
});

test("RFC 7959: bodies of 1 MB go both ways", async () => {
  const world = openWorld();
  const server = world.endpoint(serverAddress);
  const device = world.endpoint(deviceAddress);
  const firmware = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  server.handle((request) =>
    request.method === Method.get
      ? { code: ResponseCode.content, payload: firmware, contentFormat: 42 }
      : { code: ResponseCode.changed, payload: Uint8Array.of(Buffer.compare(request.payload, firmware)) },
  );
  const pull = await world.clock.until(device.request(device.peerAt(serverAddress), { method: Method.get, path: ["fw"] }));
  assert.ok(pull.ok);
  assert.equal(Buffer.compare(pull.response.payload, firmware), 0);
  const push = await world.clock.until(
    device.request(device.peerAt(serverAddress), { method: Method.put, path: ["fw"], payload: firmware }),
  );
  assert.ok(push.ok);
  assert.deepEqual(push.response.payload, Uint8Array.of(0));
  await world.end();
});

test("RFC 7641: a relation, its notifications, and the active cancel", async () => {
  const world = openWorld();
  const server = world.endpoint(serverAddress);
  const device = world.endpoint(deviceAddress);
  const notify: ((text: string, confirmable: boolean) => Promise<unknown>)[] = [];
  let ended = 0;
  device.handle(() => ({
    code: ResponseCode.content,
    payload: encoder.encode("0"),
    acceptObserve: (relation) => {
      relation.onEnd(() => ended++);
      notify.push((text, confirmable) => relation.notify({ code: ResponseCode.content, payload: encoder.encode(text) }, confirmable));
    },
  }));
  const seen: string[] = [];
  const listener = {
    onNotification: (response: { payload: Uint8Array }) => void seen.push(new TextDecoder().decode(response.payload)),
    onEnd: (reason: string) => void seen.push(reason),
  };
  const outcome = await world.clock.until(server.observe(server.peerAt(deviceAddress), { method: Method.get, path: ["3303"] }, listener));
  assert.ok(outcome.ok && outcome.observing);
  assert.equal(new TextDecoder().decode(outcome.response.payload), "0");
  assert.deepEqual(await world.clock.until(notify[0]?.("1", true) ?? Promise.reject()), { ok: true });
  await world.clock.until(notify[0]?.("2", false) ?? Promise.reject());
  await world.clock.advance(100);
  assert.equal((await world.clock.until(outcome.observation.cancel("active"))).ok, true);
  assert.deepEqual(seen, ["1", "2", "cancelled"]);
  assert.equal(ended, 1);
  await world.end();
});

test("trace taps: every message both ways with peer and time while somebody looks, nothing before and after", async () => {
  const world = openWorld();
  const server = world.endpoint(serverAddress);
  server.handle(() => ({ code: ResponseCode.changed }));
  const peer = world.scripted();
  await peer.ask("40010001");
  const seen: string[] = [];
  const startedAt = world.clock.now();
  server.tap(({ direction, at, peer: { address, port }, bytes }) => {
    seen.push(`${direction} ${at - startedAt} ${address}:${port} ${Buffer.from(bytes).toString("hex")}`);
  });
  await peer.ask("40010002");
  // Malformed, and a ping: both are seen, and so is what they are answered.
  await peer.ask("4001");
  await peer.ask("40000003");
  const here = `${peer.address.address}:${peer.address.port}`;
  assert.deepEqual(
    seen.map((line) => line.replace(/ \d+ /, " ")),
    [`in ${here} 40010002`, `out ${here} 60440002`, `in ${here} 4001`, `in ${here} 40000003`, `out ${here} 70000003`],
  );
  server.tap(undefined);
  await peer.ask("40010004");
  assert.equal(seen.length, 5);
  await world.end();
});
