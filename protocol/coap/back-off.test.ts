import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method } from "./codes.ts";
import { messageIdWaitMs, takeMessageId } from "./message-ids.ts";
import { defaultParameters, exchangeLifetimeMs } from "./parameters.ts";

const get = { method: Method.get, path: ["a"] } as const;

/** The piggybacked answer to a request, as hex; `tail` are options and payload. */
const answer = (request: string, code: string, tail = ""): string => `68${code}${messageIdOf(request)}${tokenOf(request)}${tail}`;

for (const { title, code, tail, waitMs } of [
  { title: "RFC 8516 §4: 4.29 with Max-Age 30", code: "9d", tail: "d1011e", waitMs: 30_000 },
  { title: "RFC 8516 §4, RFC 7252 §5.10.5: 4.29 without Max-Age, which means 60 s", code: "9d", tail: "", waitMs: 60_000 },
  { title: "RFC 7252 §5.9.3.4: 5.03 with Max-Age 30", code: "a3", tail: "d1011e", waitMs: 30_000 },
  { title: "RFC 8516 §4: 4.29 with a Max-Age of years, cut to five minutes", code: "9d", tail: "d401ffffffff", waitMs: 300_000 },
]) {
  test(`${title}: the next request to this peer leaves when it is over, one to a neighbour at once`, async () => {
    const world = openWorld();
    const endpoint = world.endpoint();
    const peer = world.scripted();
    const neighbour = world.scripted({ address: "10.0.1.9", port: 9 });
    const to = endpoint.peerAt(deviceAddress);
    const first = watch(endpoint.request(to, get));
    const [request = ""] = await peer.listen();
    await peer.ask(answer(request, code, tail), 10);
    assert.ok(first()?.ok, "the caller sees the answer itself");
    const second = watch(endpoint.request(to, get));
    const late = watch(endpoint.request(to, get, { timeoutMs: 1_000 }));
    const other = watch(endpoint.request(endpoint.peerAt(neighbour.address), get));
    const [elsewhere = ""] = await neighbour.listen();
    await neighbour.ask(answer(elsewhere, "45"));
    assert.equal(other()?.ok, true);
    assert.deepEqual(await peer.listen(waitMs - 210), []);
    const failed = late();
    assert.ok(failed?.ok === false && failed.facts.datagramsSent === 0, "a deadline of the caller runs on");
    const [next = ""] = await peer.listen(20);
    await peer.ask(answer(next, "45"));
    assert.equal(second()?.ok, true);
    assert.equal(world.counters.backOffs, 1);
    await world.end();
  });
}

test("RFC 7252 §5.9.3.4: 5.03 without Max-Age holds nothing back", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  endpoint.request(to, get).catch(assert.fail);
  const [request = ""] = await peer.listen();
  await peer.ask(answer(request, "a3"));
  endpoint.request(to, get).catch(assert.fail);
  assert.equal((await peer.listen()).length, 1);
  await world.end();
});

test("RFC 7252 §5.9.3.4: who asks for it is sent again once after Max-Age, never a POST", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  const again = { againWhenPostponed: true };
  const first = watch(endpoint.request(to, get, again));
  let [request = ""] = await peer.listen();
  await peer.ask(answer(request, "a3", "d1011e"), 10);
  assert.equal(first(), undefined);
  assert.deepEqual(await peer.listen(29_900), []);
  [request = ""] = await peer.listen(200);
  await peer.ask(answer(request, "45"), 10);
  const done = first();
  assert.equal(done?.ok && done.response.code, 0x45);
  assert.equal(done?.facts.datagramsSent, 2);

  const twice = watch(endpoint.request(to, get, again));
  [request = ""] = await peer.listen();
  await peer.ask(answer(request, "a3", "d1011e"), 10);
  [request = ""] = await peer.listen(30_100);
  await peer.ask(answer(request, "a3", "d1011e"), 10);
  const refused = twice();
  assert.equal(refused?.ok && refused.response.code, 0xa3, "the second refusal is the caller's");

  await world.clock.advance(31_000);
  const execute = watch(endpoint.request(to, { method: Method.post, path: ["3", "0", "4"] }, again));
  [request = ""] = await peer.listen();
  await peer.ask(answer(request, "a3", "d1011e"), 10);
  assert.equal(execute()?.ok, true);
  assert.deepEqual(await peer.listen(40_000), []);
  await world.end();
});

test("RFC 8516 §4: a block refused in mid-transfer with 4.29 is sent again when the time is over, not the whole body", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 16 } });
  const peer = world.scripted();
  const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["u"], payload: new Uint8Array(20) }));
  const [first = ""] = await peer.listen();
  const [second = ""] = await peer.ask(answer(first, "5f", "d10e08"));
  assert.match(second, /d10310ff00000000$/);
  assert.deepEqual(await peer.ask(answer(second, "9d", "d10105"), 4_990), []);
  const [again = ""] = await peer.listen(100);
  assert.match(again, /d10310ff00000000$/);
  await peer.ask(answer(again, "44", "d10e10"));
  const end = outcome();
  assert.ok(end?.ok);
  assert.equal(end.response.code, 0x44);
  assert.equal(end.facts.bodyBytesAcknowledged, 20);
  await world.end();
});

test("RFC 8516 §4: a later block of a response refused with 5.03 and Max-Age is asked for again, four times at most", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  for (const refusals of [1, 5]) {
    const outcome = watch(endpoint.request(endpoint.peerAt(deviceAddress), get));
    const [first = ""] = await peer.listen();
    let [next = ""] = await peer.ask(answer(first, "45", `d10a08ff${"61".repeat(16)}`));
    for (let i = 0; i < refusals; i++) {
      assert.match(next, /b161c110$/, "Block2 1");
      [next = ""] = await peer.ask(answer(next, "a3", "d10101"), 1_100);
    }
    if (next !== "") await peer.ask(answer(next, "45", "d10a10ff62"));
    const end = outcome();
    assert.ok(end?.ok);
    assert.equal(end.response.code, refusals === 1 ? 0x45 : 0xa3);
    assert.equal(end.response.payload.length, refusals === 1 ? 17 : 0);
    await world.clock.advance(1_000);
  }
  await world.end();
});

test("RFC 7959 §2.5: a transfer that broke off goes on from the last acknowledged block; 4.08 makes it start over", async () => {
  const world = openWorld();
  const parameters = { ...defaultParameters, blockSizeBytes: 16, maxRetransmit: 0 };
  const endpoint = world.endpoint(serverAddress, { parameters });
  const peer = world.scripted();
  const put = { method: Method.put, path: ["u"], payload: new Uint8Array(40) } as const;
  const broken = watch(endpoint.request(endpoint.peerAt(deviceAddress), put));
  const [first = ""] = await peer.listen();
  await peer.ask(answer(first, "5f", "d10e08"));
  await peer.listen(5_000);
  const end = broken();
  assert.ok(end?.ok === false && end.reason === "no-answer");
  assert.equal(end.facts.bodyBytesAcknowledged, 16);
  const resumed = watch(endpoint.request(endpoint.peerAt(deviceAddress), put, { resumeAtByte: 16 }));
  const [second = ""] = await peer.listen();
  assert.match(second, /d10318ff(00){16}$/, "block 1, more");
  const [over = ""] = await peer.ask(answer(second, "88", "d10e18"));
  assert.match(over, /d10308d11428ff(00){16}$/, "block 0, Size1 40");
  let next = over;
  for (const block of ["08", "18", "20"]) next = (await peer.ask(answer(next, block === "20" ? "44" : "5f", `d10e${block}`)))[0] ?? "";
  const done = resumed();
  assert.ok(done?.ok);
  assert.equal(done.facts.bodyBytesAcknowledged, 40);
  await world.end();
});

test("RFC 7252 §4.4: no message id is used again within EXCHANGE_LIFETIME, whatever the rate", () => {
  const lifetimeMs = exchangeLifetimeMs(defaultParameters);
  const account = { nextMessageId: 4_000, messageIdHistory: undefined };
  const usedAt = new Map<number, number>();
  let now = 0;
  for (let i = 0; i < 300_000; i++) {
    now += messageIdWaitMs(account, now, lifetimeMs);
    const id = takeMessageId(account, now);
    const before = usedAt.get(id);
    assert.ok(before === undefined || now - before >= lifetimeMs, `id ${id} at ${before} and again at ${now}`);
    usedAt.set(id, now);
    now += 0.5;
  }
  assert.ok(now < 6 * lifetimeMs, "and no slower than that asks for");
});

test("RFC 7252 §4.4: a request waits until an id is free, or until its deadline", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, {
    parameters: { ...defaultParameters, maxLatencyMs: 10_000, probingRateBytesPerSecond: 1_000_000 },
  });
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  for (let i = 0; i < 65_536; i++) {
    endpoint.request(to, { ...get, confirmable: false }, { timeoutMs: 1 }).catch(assert.fail);
    if (i % 64 === 63) await world.clock.advance(1);
  }
  peer.heard.length = 0;
  world.network.traffic.length = 0;
  const late = watch(endpoint.request(to, get, { timeoutMs: 5_000 }));
  const patient = watch(endpoint.request(to, get, { timeoutMs: 300_000 }));
  await world.clock.advance(6_000);
  // The stretch the first id lay in was left early, so a few ids of it may still be free.
  assert.ok(peer.heard.length <= 10);
  assert.equal(late()?.ok, false);
  await world.clock.advance(80_000);
  const request = peer.heard.at(-1)?.hex ?? "";
  await peer.ask(answer(request, "45"));
  assert.equal(patient()?.ok, true);
  await world.end();
});

test("RFC 7252 §4.7: non-confirmable requests to a silent peer stay below PROBING_RATE; heard from, it gets the next at once", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const outcomes = Array.from({ length: 40 }, () =>
    watch(endpoint.request(endpoint.peerAt(deviceAddress), { ...get, confirmable: false }, { timeoutMs: 2_000_000 })),
  );
  const sizeBytes = 14;
  const burst = Math.floor(exchangeLifetimeMs(defaultParameters) / 1_000 / sizeBytes) + 1;
  assert.equal((await peer.listen()).length, burst);
  const later = await peer.listen(140_000);
  assert.equal(later.length, 10, "140 bytes in 140 s");
  const [pong, next = "", ...more] = await peer.ask("40000001", 1_100);
  assert.equal(pong, "70000001");
  assert.equal(1 + more.length, 40 - burst - 10, "the rest fits what is free again");
  await peer.ask(`58450002${tokenOf(next)}`, 2_000);
  assert.equal(outcomes.filter((outcome) => outcome()?.ok).length, 1);
  await world.clock.advance(2_000_000);
  assert.ok(outcomes.every((outcome) => outcome() !== undefined));
  await world.end();
});
