import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { OutgoingResponse } from "./message.ts";
import { defaultParameters } from "./parameters.ts";
import { startTransmission, stepTransmission } from "./transmission-machine.ts";

const get = { method: Method.get, path: ["a"] } as const;
/** POST /rd, CON, message id 0001, token 77. */
const post = "4102000177b27264";

test("RFC 7252 §4.2: the transmission machine, state by event", () => {
  const start = startTransmission({ ...defaultParameters, ackRandomFactor: 1.5 }, 0.5);
  assert.deepEqual(start, { kind: "waiting", resends: 0, timeoutMs: 2_500 });
  assert.deepEqual(stepTransmission(start, "acknowledged", 4), { kind: "acknowledged" });
  assert.deepEqual(stepTransmission(start, "reset", 4), { kind: "rejected" });
  assert.deepEqual(stepTransmission(start, "timeout", 4), { kind: "waiting", resends: 1, timeoutMs: 5_000 });
  assert.deepEqual(stepTransmission(start, "timeout", 0), { kind: "gave-up" });
  for (const kind of ["acknowledged", "rejected", "gave-up"] as const) {
    for (const event of ["acknowledged", "reset", "timeout"] as const) assert.deepEqual(stepTransmission({ kind }, event, 4), { kind });
  }
});

// Trap 4 (traps.test.ts).
test("RFC 7252 §4.2: resends at 2, 6, 14, 30 s and gives up at 62 s", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, ackRandomFactor: 1 } });
  const peer = world.scripted();
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), get));
  await world.clock.advance(61_999);
  assert.deepEqual(
    peer.heard.map(({ at }) => at),
    [10, 2_010, 6_010, 14_010, 30_010],
  );
  assert.equal(new Set(peer.heard.map(({ hex }) => hex)).size, 1, "every copy is the same");
  assert.equal(outcome(), undefined);
  await world.clock.advance(1);
  const end = outcome();
  assert.ok(end?.ok === false);
  assert.equal(end.reason, "no-answer");
  assert.equal(end.facts.datagramsSent, 5);
  await world.end();
});

// Trap 3 (traps.test.ts).
test("RFC 7252 §4.8: parameters are per peer", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const slow = world.scripted();
  endpoint.setParameters(endpoint.peerAt(deviceAddress), {
    ...defaultParameters,
    ackTimeoutMs: 15_000,
    ackRandomFactor: 1,
    maxRetransmit: 1,
  });
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), get));
  await world.clock.advance(44_999);
  assert.deepEqual(
    slow.heard.map(({ at }) => at),
    [10, 15_010],
  );
  await world.clock.advance(1);
  assert.equal(outcome()?.ok, false);
  await world.end();
});

// Trap 1 (traps.test.ts).
test("RFC 7252 §4.5: a duplicate while the handler is pending runs nothing; after the answer it gets the same bytes", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let runs = 0;
  let answer: (response: OutgoingResponse) => void = () => {};
  endpoint.handle(() => {
    runs++;
    return new Promise((resolve) => {
      answer = resolve;
    });
  });
  peer.send(post);
  assert.deepEqual(await peer.ask(post, 300), []);
  answer({ code: ResponseCode.changed, payload: Uint8Array.of(runs) });
  const first = await peer.listen();
  assert.deepEqual(first, ["6144000177ff01"]);
  assert.deepEqual(await peer.ask(post), first);
  assert.equal(runs, 1);
  assert.equal(world.counters.duplicates, 2);
  await world.end();
});

// Trap 2 (traps.test.ts).
test("RFC 7252 §5.2.2: a slow handler gets an empty ACK first, then answers in a confirmable message of its own; duplicates are only acknowledged", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let runs = 0;
  endpoint.handle(() => {
    runs++;
    return new Promise((resolve) => void world.clock.after(5_000, () => resolve({ code: ResponseCode.changed })));
  });
  assert.deepEqual(await peer.ask(post, 1_100), ["60000001"]);
  assert.deepEqual(await peer.ask(post, 100), ["60000001"]);
  const separate = await peer.listen(5_000);
  assert.equal(separate.length, 1);
  const response = separate[0] ?? "";
  assert.match(response, /^4144....77$/);
  assert.notEqual(messageIdOf(response), "0001");
  assert.deepEqual(await peer.ask(post, 100), ["60000001"]);
  assert.deepEqual(await peer.ask(`6000${messageIdOf(response)}`, 60_000), [], "acknowledged: not sent again");
  assert.equal(runs, 1);
  await world.end();
});

test("RFC 7252 §5.2.2: a separate response is resent until it is acknowledged", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, ackRandomFactor: 1, piggybackMs: 0 } });
  const peer = world.scripted();
  endpoint.handle(() => new Promise((resolve) => void world.clock.after(1, () => resolve({ code: ResponseCode.content }))));
  peer.send(post);
  await world.clock.advance(100_000);
  assert.deepEqual(
    peer.heard.map(({ at }) => at),
    [20, 21, 2_021, 6_021, 14_021, 30_021],
  );
  assert.equal(world.counters.gaveUp, 1);
  await world.end();
});

// Trap 12 (traps.test.ts).
test("RFC 7252 §4.5: the same message id with another token is a new request (a rebooted device)", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let runs = 0;
  endpoint.handle(() => ({ code: ResponseCode.created, locationPath: [String(++runs)] }));
  assert.deepEqual(await peer.ask("4102000177b27264"), ["61410001778131"]);
  assert.deepEqual(await peer.ask("4102000178b27264"), ["61410001788132"]);
  assert.deepEqual(await peer.ask("4102000178b27264"), ["61410001788132"]);
  assert.equal(world.counters.messageIdsReused, 1);
  await world.end();
});

test("RFC 7252 §4.8.2: a message id counts as new again after EXCHANGE_LIFETIME, 247 s", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let runs = 0;
  endpoint.handle(() => ({ code: ResponseCode.changed, payload: Uint8Array.of(++runs) }));
  await peer.ask(post);
  await world.clock.advance(246_800);
  assert.deepEqual(await peer.ask(post), ["6144000177ff01"]);
  await world.clock.advance(200);
  assert.deepEqual(await peer.ask(post), ["6144000177ff02"]);
  await world.end();
});

// Trap 24 (traps.test.ts).
test("bound: of one peer the last 64 messages are remembered, and another peer's traffic does not push them out", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const noisy = world.scripted({ address: "10.0.0.3", port: 1 });
  let runs = 0;
  endpoint.handle(() => ({ code: ResponseCode.changed, payload: Uint8Array.of(++runs & 0xff) }));
  const first = await peer.ask("4102000077b27264");
  for (let id = 0; id < 200; id++) noisy.send(`4102${id.toString(16).padStart(4, "0")}77b27264`);
  for (let id = 1; id < 64; id++) peer.send(`4102${id.toString(16).padStart(4, "0")}77b27264`);
  await peer.listen();
  assert.deepEqual(await peer.ask("4102000077b27264"), first);
  await peer.ask("4102004077b27264");
  assert.notDeepEqual(await peer.ask("4102000077b27264"), first);
  await world.end();
});

test("RFC 7252 §4.3: NON requests get NON responses with a message id of our own; a duplicate is ignored", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle(() => ({ code: ResponseCode.content, payload: Uint8Array.of(5) }));
  const [answer = "", ...others] = await peer.ask("5101000977b161");
  assert.match(answer, /^5145....77ff05$/);
  assert.deepEqual(others, []);
  assert.deepEqual(await peer.ask("5101000977b161"), []);
  await world.end();
});

// Trap 21 (traps.test.ts).
test("RFC 7252 §4.3: an empty confirmable message is a ping and is answered RST", async () => {
  const world = openWorld();
  world.endpoint();
  const peer = world.scripted();
  assert.deepEqual(await peer.ask("40001234"), ["70001234"]);
  await world.end();
});

test("RFC 7252 §4.2, §3: malformed datagrams are reset if confirmable, else dropped, and reach no handler", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle(() => assert.fail("a malformed datagram reached the handler"));
  for (const [hex, answers] of [
    ["40010001ff", ["70000001"]],
    ["50010001ff", []],
    ["80010001", []],
    ["49010002010203040506070809", ["70000002"]],
    ["6045", []],
    ["600000", []],
    ["70000001", []],
    ["60000001", []],
    ["60450001ff", []],
  ] as const) {
    assert.deepEqual(await peer.ask(hex), answers, hex);
  }
  assert.equal(world.counters.malformed, 7);
  await world.end();
});

// Trap 20 (traps.test.ts).
test("RFC 7252 §5.4.1: an unrecognized critical option is a 4.02 that names it; an elective one is passed on", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const options: unknown[] = [];
  endpoint.handle((request) => {
    options.push(...request.options);
    return { code: ResponseCode.changed };
  });
  const badOption = (hex: string): string => `61820001${hex}`;
  const [unknown = ""] = await peer.ask("4102000177b27264" + "e1" + "0001" + "05");
  assert.ok(unknown.startsWith(badOption("77ff")), unknown);
  assert.match(Buffer.from(unknown.slice(12), "hex").toString(), /option 281/);
  // If-Match, a repeated Accept, an over-long Content-Format of no effect, an elective 284.
  assert.match((await peer.ask("410200027710b27264"))[0] ?? "", /^61820002/);
  assert.match((await peer.ask("4102000377b2726460" + "00"))[0] ?? "", /^61820003/);
  assert.match((await peer.ask("4102000477b27264e1000405"))[0] ?? "", /^61440004/);
  assert.deepEqual(options, [{ number: 284, value: Uint8Array.of(5) }]);
  assert.match((await peer.ask("4102000577b27264d10b61"))[0] ?? "", /^61a50005/, "Proxy-Uri is a 5.05");
  await world.end();
});

test("RFC 7252 §5.8: an unknown method is a 4.05, no handler a 4.04", async () => {
  const world = openWorld();
  world.endpoint();
  const peer = world.scripted();
  assert.deepEqual(await peer.ask("410a000177b161"), ["6185000177"]);
  assert.deepEqual(await peer.ask("4101000277b161"), ["6184000277"]);
  await world.end();
});

test("a handler that throws or rejects is a 5.00 without its words, and reported", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle((request) => {
    if (request.path[0] === "a") throw new Error("secret");
    return Promise.reject(new Error("secret"));
  });
  assert.deepEqual(await peer.ask("4101000177b161"), ["61a0000177"]);
  assert.deepEqual(await peer.ask("4101000277b162"), ["61a0000277"]);
  await world.end(2);
});

test("bound: above the number of requests handlers may work on, a peer gets 5.03 with Max-Age and others are served", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { servedRequestsPerPeer: 2 } });
  const peer = world.scripted();
  const other = world.scripted({ address: "10.0.0.3", port: 1 });
  endpoint.handle(() => new Promise((resolve) => void world.clock.after(900, () => resolve({ code: ResponseCode.changed }))));
  for (const id of ["01", "02", "03"]) peer.send(`410200${id}77b27264`);
  assert.deepEqual(await peer.listen(), ["61a3000377d1010a"]);
  assert.deepEqual(await other.ask("4102000177b27264", 1_000), ["6144000177"]);
  assert.equal((await peer.listen(1_000)).length, 2);
  await world.end();
});

test("close: what is open ends as cancelled, nothing is sent any more, no timer is left", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const running = watch(endpoint.request(endpoint.peerAt(deviceAddress), get));
  const waiting = watch(endpoint.request(endpoint.peerAt(deviceAddress), get));
  await peer.listen();
  await endpoint.close();
  await world.clock.advance(0);
  for (const outcome of [running, waiting]) {
    const end = outcome();
    assert.equal(end?.ok === false && end.reason, "cancelled");
  }
  const late = await endpoint.request(endpoint.peerAt(deviceAddress), get);
  assert.equal(late.ok === false && late.reason, "cancelled");
  assert.deepEqual(await peer.listen(100_000), []);
  assert.equal(tokenOf("4101000177"), "77");
  await world.end();
});
