import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Admission } from "./admission.ts";
import { Method, ResponseCode } from "./codes.ts";
import { defaultLimits } from "./limits.ts";

const limits = { messagesPerSecondPerPeer: 2, messageBurstPerPeer: 3, messagesPerSecond: 10, messageBurst: 5 };
const hexOf = (messageId: number): string => messageId.toString(16).padStart(4, "0");

test("token bucket: a burst, then the rate; a pause fills it up to the burst again, not beyond", () => {
  const admission = new Admission({ ...defaultLimits, ...limits });
  const account = { paidUntil: 0 };
  const admitted = (times: readonly number[]) => times.filter((at) => admission.judge(account, at) === "admitted");
  assert.deepEqual(admitted([0, 0, 0, 0, 499, 500, 501, 999, 1_000]), [0, 0, 0, 500, 1_000]);
  assert.equal(admitted(Array.from({ length: 9 }, () => 60_000)).length, 3);
});

test("token bucket: all peers together have one of their own, and who is refused there pays nothing", () => {
  const admission = new Admission({ ...defaultLimits, ...limits });
  const accounts = Array.from({ length: 7 }, () => ({ paidUntil: 0 }));
  assert.deepEqual(
    accounts.map((account) => admission.judge(account, 0)),
    ["admitted", "admitted", "admitted", "admitted", "admitted", "all-over", "all-over"],
  );
  assert.equal(accounts[6]?.paidUntil, 0);
  assert.equal(admission.judge({ paidUntil: 0 }, 100), "admitted");
});

test("token bucket: a clock that was set back by an hour locks nobody out", () => {
  const admission = new Admission({ ...defaultLimits, ...limits });
  const account = { paidUntil: 0 };
  for (let i = 0; i < 3; i++) assert.equal(admission.judge(account, 3_600_000), "admitted");
  assert.equal(admission.judge(account, 0), "admitted");
});

test("RFC 8516 §3: a peer that asks too much gets 4.29 with Max-Age, its handler does not run, a neighbour is served", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { messagesPerSecondPerPeer: 1, messageBurstPerPeer: 2 } });
  const peer = world.scripted();
  const neighbour = world.scripted({ address: "10.0.1.9", port: 9 });
  let runs = 0;
  endpoint.handle(() => {
    runs++;
    return { code: ResponseCode.changed };
  });
  assert.deepEqual(await peer.ask("4102000177b161", 10), []);
  assert.deepEqual(await peer.ask("4102000277b161", 10), ["6144000177"]);
  // Max-Age 10 (option 14).
  assert.deepEqual(await peer.ask("4102000377b161ff00", 20), ["6144000277", "619d000377d1010a"]);
  assert.deepEqual(await peer.ask("5102000477b161", 20), [], "NON: silence");
  assert.deepEqual(await peer.ask("4102000177b161", 20), ["6144000177"], "a duplicate gets its answer at any time");
  assert.deepEqual(await neighbour.ask("4102000177b161", 20), ["6144000177"]);
  assert.deepEqual([runs, world.counters.refusedRate], [3, 2]);
  await world.clock.advance(2_000);
  assert.deepEqual(await peer.ask("4102000377b161ff00", 20), ["6144000377"], "the same message later is judged anew");
  await world.end();
});

test("RFC 7252 §5.9.3.4: more than all may ask together: 5.03 with Max-Age", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { messagesPerSecond: 1, messageBurst: 1 } });
  endpoint.handle(() => ({ code: ResponseCode.changed }));
  const [one, other] = [2, 3].map((host) => world.scripted({ address: `10.0.1.${host}`, port: 1 }));
  assert.deepEqual(await one?.ask("4102000177b161", 20), ["6144000177"]);
  assert.deepEqual(await other?.ask("4102000177b161", 20), ["61a3000177d1010a"]);
  await world.end();
});

test("a flood of notifications is neither acknowledged nor rejected: the relation stays, the rest comes later", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { messagesPerSecondPerPeer: 1, messageBurstPerPeer: 2 } });
  const peer = world.scripted();
  const seen: number[] = [];
  const observing = watch(
    endpoint.observe(
      endpoint.peerAt(deviceAddress),
      { method: Method.get, path: ["a"] },
      { onNotification: (response) => void seen.push(response.observe ?? -1), onEnd: () => seen.push(-2) },
    ),
  );
  const [request = ""] = await peer.listen(20);
  await peer.ask(`6845${messageIdOf(request)}${tokenOf(request)}6101`, 20);
  assert.ok(observing()?.ok);
  for (let i = 2; i < 8; i++) peer.send(`4845${hexOf(i)}${tokenOf(request)}610${i}`);
  assert.deepEqual(await peer.listen(50), ["60000002", "60000003"]);
  await world.clock.advance(1_000);
  assert.deepEqual(await peer.ask(`484500 07${tokenOf(request)}6107`, 50), ["60000007"]);
  assert.deepEqual(seen, [2, 3, 7]);
  await world.end();
});
