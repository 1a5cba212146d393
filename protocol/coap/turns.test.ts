import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import { defaultParameters } from "./parameters.ts";

const hexOf = (bytes: number): string => "00".repeat(bytes);

test("RFC 7252 §4.7: a transfer that goes on after a separate response goes ahead of requests that wait", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 16 } });
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  const upload = watch(endpoint.request(to, { method: Method.put, path: ["u"], payload: new Uint8Array(20) }));
  const second = watch(endpoint.request(to, { method: Method.post, path: ["b"] }));
  const third = watch(endpoint.request(to, { method: Method.post, path: ["c"] }));
  const [block = ""] = await peer.listen();
  const [posted = ""] = await peer.ask(`6000${messageIdOf(block)}`);
  assert.ok(posted.endsWith("b162"), posted);
  await peer.ask(`585f0001${tokenOf(block)}d10e08`);
  const [last = ""] = await peer.ask(`6844${messageIdOf(posted)}${tokenOf(posted)}`);
  assert.ok(last.includes("b175d10310ff"), last);
  const [waited = ""] = await peer.ask(`6844${messageIdOf(last)}${tokenOf(last)}d10e10`);
  assert.ok(waited.endsWith("b163"), waited);
  await peer.ask(`6844${messageIdOf(waited)}${tokenOf(waited)}`);
  for (const outcome of [upload, second, third]) assert.equal(outcome()?.ok, true);
  await world.end();
});

test("RFC 7959 §2.5: bodies to one resource go one after the other, also where a block is answered separately; other paths do not wait", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...defaultParameters, blockSizeBytes: 16 } });
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  const put = (path: string, letter: string, control = {}) =>
    watch(endpoint.request(to, { method: Method.put, path: [path], payload: Buffer.from(letter.repeat(20)) }, control));
  const abort = new AbortController();
  const [first, second, third, aborted] = [put("u", "a"), put("u", "b"), put("v", "c"), put("u", "d", { signal: abort.signal })];
  const [block = ""] = await peer.listen();
  assert.match(block, /b175d10308.*ff(61){16}$/);
  const [other = "", ...none] = await peer.ask(`6000${messageIdOf(block)}`);
  assert.match(other, /b176d10308.*ff(63){16}$/);
  assert.deepEqual(none, [], "the second body to /u waits");
  abort.abort();
  await world.clock.advance(10);
  assert.deepEqual(aborted()?.ok, false);
  assert.deepEqual(await peer.ask(`585f0001${tokenOf(block)}d10e08`), [], "its turn is taken");
  // What is left: a block of /v, one of /u, then the second body.
  let message = (await peer.ask(`685f${messageIdOf(other)}${tokenOf(other)}d10e08`))[0] ?? "";
  const payloads: string[] = [];
  while (message !== "") {
    payloads.push(Buffer.from(message.slice(message.lastIndexOf("ff") + 2), "hex").toString());
    const [code, block1] = message.includes("d10310") ? ["44", "10"] : ["5f", "08"];
    message = (await peer.ask(`68${code}${messageIdOf(message)}${tokenOf(message)}d10e${block1}`))[0] ?? "";
  }
  assert.deepEqual(payloads, ["cccc", "aaaa", "b".repeat(16), "bbbb"]);
  for (const outcome of [first, second, third]) assert.equal(outcome()?.ok, true);
  await world.end();
});

test("bound: a peer whose body is complete holds no place any more, one in the middle of a body keeps it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { limits: { peers: 2 } });
  endpoint.handle(() => ({ code: ResponseCode.changed }));
  const [done, halfway, other] = [2, 3, 4].map((host) => world.scripted({ address: `10.0.1.${host}`, port: 1 }));
  assert.ok(done && halfway && other);
  await done.ask(`4103000101b161d10308ff${hexOf(16)}`);
  await done.ask("4103000201b161d10310ff00");
  await halfway.ask(`4103000101b161d10308ff${hexOf(16)}`);
  await other.ask("4102000101b161");
  assert.equal(world.counters.peersEvicted, 1);
  // Its last message is not remembered, so it counts as new: a block without a beginning.
  assert.deepEqual(await done.ask("4103000201b161d10310ff00"), ["6188000201d10e10"]);
  assert.deepEqual(await halfway.ask("4103000201b161d10310ff00"), ["6144000201d10e10"]);
  await world.end();
});

test("a request that cannot be encoded rejects, as a bug of its caller, and the next one is not held up", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const to = endpoint.peerAt(deviceAddress);
  const options = [{ number: 2_000, value: new Uint8Array(70_000) }];
  await assert.rejects(endpoint.request(to, { method: Method.get, path: ["a"], options }), RangeError);
  const outcome = watch(endpoint.request(to, { method: Method.get, path: ["a"] }));
  const [sent = ""] = await peer.listen();
  await peer.ask(`6845${messageIdOf(sent)}${tokenOf(sent)}`);
  assert.equal(outcome()?.ok, true);
  await world.end();
});

test("a response that cannot be encoded is a 5.00, and a bug of its handler", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle(() => ({ code: ResponseCode.content, options: [{ number: 2_000, value: new Uint8Array(70_000) }] }));
  assert.deepEqual(await peer.ask("4101000101b161"), ["61a0000101"]);
  await world.end(1);
});
