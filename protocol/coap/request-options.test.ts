import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { IncomingRequest } from "./message.ts";

test("RFC 7252 §3.2, §5.4.3: Uri-Path and Uri-Query that are no UTF-8 are answered 4.02 and reach no handler; what is UTF-8 arrives as it is", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const seen: IncomingRequest[] = [];
  endpoint.handle((request) => {
    seen.push(request);
    return { code: ResponseCode.content };
  });
  for (const [i, bad] of ["b2c328", "b1ff", "b3e28261", "b3eda080", "b161 41ff"].entries()) {
    const id = (i + 1).toString(16).padStart(4, "0");
    const [reply = ""] = await peer.ask(`4101${id}77${bad}`);
    assert.ok(reply.startsWith(`6182${id}77ff`), `${bad}: ${reply}`);
  }
  assert.equal(seen.length, 0);
  // é, a byte order mark that belongs to the text, and 🌡.
  await peer.ask("4101100077b2c3a9 03efbbbf 04f09f8ca1 42c3a9");
  assert.deepEqual([seen[0]?.path, seen[0]?.query], [["é", "\ufeff", "🌡"], ["é"]]);
  await world.end();
});

test("RFC 7967 §2.1: No-Response: the classes it names stay unsent, a confirmable request is acknowledged all the same", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  let code: number = ResponseCode.changed;
  endpoint.handle(() => ({ code }));
  // No-Response is option 258: delta 247 from Uri-Path is d extended by 234 (ea).
  const rows: readonly [string, number, string, readonly string[]][] = [
    ["NON, 2.xx unwanted, 2.04", ResponseCode.changed, "51020001 77 b161 d1ea02", []],
    ["CON, 2.xx unwanted, 2.04", ResponseCode.changed, "41020002 77 b161 d1ea02", ["60000002"]],
    ["CON, 2.xx unwanted, 4.04", ResponseCode.notFound, "41020003 77 b161 d1ea02", ["6184000377"]],
    ["CON, 4.xx unwanted, 4.04", ResponseCode.notFound, "41020004 77 b161 d1ea08", ["60000004"]],
    ["CON, 5.xx unwanted, 5.00", ResponseCode.internalServerError, "41020005 77 b161 d1ea10", ["60000005"]],
    ["CON, nothing unwanted", ResponseCode.changed, "41020006 77 b161 d0ea", ["6144000677"]],
    ["NON, all unwanted, 4.02", ResponseCode.changed, "51020007 77 b161 a1ff d1e01a", []],
  ];
  for (const [what, answer, request, replies] of rows) {
    code = answer;
    assert.deepEqual(await peer.ask(request), replies, what);
  }
  assert.deepEqual(await peer.ask("41020002 77 b161 d1ea02"), ["60000002"], "a duplicate gets the same ACK");
  assert.deepEqual(await peer.ask(`41030008 77 b161 d10308 d1da02 ff${"00".repeat(16)}`), ["615f000877d10e08"], "2.31 is always sent");
  await world.end();
});

test("RFC 7252 §5.10.8: If-Match and If-None-Match: 4.02 unless the handler says that it keeps them; then they are data", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const seen: unknown[] = [];
  const handler = (request: IncomingRequest) => {
    seen.push([request.ifMatch?.map((tag) => [...tag]), request.ifNoneMatch]);
    return { code: ResponseCode.preconditionFailed };
  };
  endpoint.handle(handler);
  assert.match((await peer.ask("4103000177 12abcd a161"))[0] ?? "", /^6182000177ff/);
  assert.match((await peer.ask("4103000277 50 6161"))[0] ?? "", /^6182000277ff/);
  assert.equal(seen.length, 0);
  endpoint.handle(handler, { preconditions: true });
  assert.deepEqual(await peer.ask("4103000377 12abcd00 a161"), ["618c000377"]);
  assert.deepEqual(await peer.ask("4103000477 50 6161"), ["618c000477"]);
  assert.deepEqual(await peer.ask("4103000577 b161"), ["618c000577"]);
  assert.deepEqual(seen, [
    [[[0xab, 0xcd], []], undefined],
    [undefined, true],
    [undefined, undefined],
  ]);
  await world.end();
});

test("RFC 8768 §3: Hop-Limit, Uri-Host and Uri-Port do not hinder an origin server; of a wrong length Hop-Limit is ignored, as it is elective", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  endpoint.handle(() => ({ code: ResponseCode.content }));
  const rows: readonly [string, string][] = [
    ["Hop-Limit 1", "41010001 77 b161 5101"],
    ["Hop-Limit 0, which only a proxy refuses", "41010002 77 b161 5100"],
    ["Hop-Limit of two bytes", "41010003 77 b161 520001"],
    ["Hop-Limit twice", "41010004 77 b161 5101 0102"],
    ["Uri-Host and Uri-Port", "41010005 77 3168 421633 4161"],
  ];
  for (const [what, request] of rows) {
    assert.deepEqual(await peer.ask(request), [`6145000${request[7]}77`], what);
  }
  await world.end();
});

test("RFC 9175 §3.3: blocks of one path with different Request-Tags, or with none, are different bodies", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const bodies: string[] = [];
  endpoint.handle(({ payload }) => {
    bodies.push(Buffer.from(payload).toString());
    return { code: ResponseCode.changed };
  });
  // Block1 is option 27 (d103…: 08 first of 16, 10 the second and last); Request-Tag is 292: delta 265 is d1fc.
  const block = (id: number, head: string, tag: string, letter: number, length: number): string =>
    `4103000${id} 77 b161 ${head} ${tag} ff${letter.toString(16).repeat(length)}`;
  const tags = ["d0fc", "d1fc01", "d1fc02", ""];
  const letters = [0x61, 0x62, 0x63, 0x64];
  for (const [i, tag] of tags.entries()) {
    assert.deepEqual(await peer.ask(block(i, "d10308", tag, letters[i] ?? 0, 16)), [`615f000${i}77d10e08`], tag);
  }
  for (const [i, tag] of tags.entries()) {
    assert.deepEqual(await peer.ask(block(i + 4, "d10310", tag, letters[i] ?? 0, 1)), [`6144000${i + 4}77d10e10`], tag);
  }
  assert.deepEqual(
    bodies,
    ["a", "b", "c", "d"].map((letter) => letter.repeat(17)),
  );
  await world.end();
});

test("RFC 9175 §2.3, §2.4: who has not proved its address repeats the Echo value first; then, and for what needs no proof, it is served", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { challenge: ({ path }) => path[0] === "rd" });
  const peer = world.scripted();
  let runs = 0;
  endpoint.handle(() => {
    runs++;
    return { code: ResponseCode.changed };
  });
  assert.deepEqual(await peer.ask("4102000177 b2 7870"), ["6144000177"]);
  const [challenged = ""] = await peer.ask("4102000277 b2 7264");
  // Echo is option 252, 13 + 239: d8 ef and eight bytes.
  assert.match(challenged, /^6181000277d8ef[0-9a-f]{16}$/);
  const value = challenged.slice(-16);
  assert.match((await peer.ask(`4102000377 b2 7264 d8e4 ${"00".repeat(8)}`))[0] ?? "", new RegExp(`^6181000377d8ef${value}$`));
  assert.equal(runs, 1);
  assert.deepEqual(await peer.ask(`4102000477 b2 7264 d8e4 ${value}`), ["6144000477"]);
  assert.deepEqual(await peer.ask("4102000577 b2 7264"), ["6144000577"], "once is enough");
  const stranger = world.scripted({ address: "10.0.1.9", port: 9 });
  assert.match((await stranger.ask(`4102000177 b2 7264 d8e4 ${value}`))[0] ?? "", /^6181/, "another address needs its own");
  await world.end();
});

test("RFC 9175 §2.3: our client repeats the Echo value of our server, a body in blocks included", async () => {
  const world = openWorld();
  const server = world.endpoint(serverAddress, { challenge: () => true });
  const device = world.endpoint(deviceAddress);
  server.handle((request) => ({ code: ResponseCode.changed, payload: Uint8Array.of(request.payload.length >> 8) }));
  for (const payload of [new Uint8Array(600), new Uint8Array(5_000)]) {
    const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), { method: Method.post, path: ["rd"], payload }));
    assert.ok(outcome.ok);
    assert.deepEqual([...outcome.response.payload], [payload.length >> 8]);
  }
  await world.end();
});
