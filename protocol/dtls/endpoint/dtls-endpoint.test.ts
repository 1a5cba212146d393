import assert from "node:assert/strict";
import { test } from "node:test";
import { clientAt, DtlsWorld, serverAt } from "../testing/dtls-world.ts";

test("RFC 6347 §4.2: a PSK handshake with cookie, data both ways, one association on each side", async () => {
  const world = new DtlsWorld();
  const server = await world.server();
  const client = await world.client();
  const to = await world.connect(client);
  client.say(to, "hello");
  client.say(to, "again");
  await world.clock.advance(100);
  assert.deepEqual(server.texts, ["hello", "again"]);
  const [first, second] = server.heard;
  assert.equal(first?.from, second?.from);
  assert.deepEqual(first?.from.association?.identity, { kind: "psk", identity: new TextEncoder().encode("dev1") });
  assert.equal(first?.from.port, clientAt.port);
  server.say(server.lastFrom, "answer");
  await world.clock.advance(100);
  assert.deepEqual(client.texts, ["answer"]);
  assert.equal(client.lastFrom.association?.key, to.association?.key);
  assert.equal(client.lastFrom.port, serverAt.port);
  assert.deepEqual([server.kinds, client.kinds], [["connected"], ["connected"]]);
  assert.equal(server.endpoint.counters["helloVerifyRequests"], 1);
  await world.end();
});
