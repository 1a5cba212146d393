/** RFC 9146: a client whose address changes goes on with its connection when it has an id, and has to begin anew when it has none. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { interopSuite } from "../platform/suite.ts";
import { ourClientCredentials } from "./credentials.ts";
import { AddressRelay } from "./platform/address-relay.ts";
import { KeyFiles } from "./platform/key-files.ts";
import { mbedtls } from "./platform/mbedtls.ts";
import { loopback, OurDtls } from "./platform/our-dtls.ts";
import type { DtlsPeer } from "./platform/peer.ts";
import { pion } from "./platform/pion.ts";
import { scandium } from "./platform/scandium.ts";
import { features, type Wish } from "./wish.ts";

const files = new KeyFiles();
after(() => files.remove());
const peers: readonly (readonly ["mbedtls" | "pion" | "scandium", DtlsPeer])[] = [
  ["mbedtls", mbedtls],
  ["pion", pion],
  ["scandium", scandium],
];
const lines = ["before", "after-1", "after-2"];
const withIds: Wish = { ...features["cid-both"], lines };
/** Protected datagrams of a client until its first line is out. */
const finishedAndFirstLine = 1;

for (const [name, peer] of peers) {
  interopSuite(`${name} asks us from a changing address`, [name], () => {
    test("RFC 9146 §6: with a connection id it is served at its new address, in the same connection", async () => {
      const ours = (await OurDtls.server(withIds)).echo(withIds);
      const relay = await AddressRelay.open(ours.port, finishedAndFirstLine);
      const client = peer.connect?.(relay.port, withIds, files);
      assert.ok(client);
      try {
        for (const line of client.saysFirstOnly ? lines.slice(0, 1) : lines) await client.receivedEcho(line);
        await client.end();
        const { before, peer: now } = await ours.tells("address-changed");
        assert.deepEqual([before.port, now.port], relay.ports);
        assert.equal(ours.news.filter(({ kind }) => kind === "connected").length, 1);
        assert.equal(new Set(ours.heard.map(({ from }) => from.association?.key)).size, 1);
        assert.equal(ours.heard.length, lines.length);
      } finally {
        await client.kill();
        relay.close();
        await ours.close();
      }
    });
  });

  // ssl_server2 connects its socket to the address of the first handshake and hears no other.
  if (name === "mbedtls") continue;
  interopSuite(`we ask ${name} from a changing address`, [name], () => {
    test("RFC 9146 §6: with a connection id we are served at our new address, in the same connection", async () => {
      const server = await peer.serve?.(withIds, files);
      assert.ok(server);
      const relay = await AddressRelay.open(server.port, finishedAndFirstLine);
      const ours = (await OurDtls.client(withIds)).onText();
      try {
        const to = await ours.endpoint.connect({ address: loopback, port: relay.port }, ourClientCredentials(withIds));
        for (const [i, line] of lines.entries()) {
          ours.say(to, `${line}\n`);
          await ours.hears(`the answer to ${line}`, (words) => ours.heard.length > i && server.isAnswer(line, words));
        }
        assert.equal(relay.ports.length, 2);
      } catch (error) {
        throw new Error(`${String(error)}\n${server.transcript()}`, { cause: error });
      } finally {
        await server.kill();
        relay.close();
        await ours.close();
      }
    });
  });
}

interopSuite("pion asks us from a changing address, without connection ids", ["pion"], () => {
  test("RFC 6347 §4.1: at another address its records are of no connection; a new handshake from there is served", async () => {
    const wish: Wish = { ...features["psk-ccm-8"], lines };
    const ours = (await OurDtls.server(wish)).echo(wish);
    const relay = await AddressRelay.open(ours.port, 1);
    const first = pion.connect?.(relay.port, wish, files);
    assert.ok(first);
    await first.receivedEcho("before");
    await ours.tells("connected");
    await assert.rejects(first.receivedEcho("after-1"));
    assert.deepEqual(ours.texts, ["before"]);
    assert.ok((ours.endpoint.counters["unknownRecords"] ?? 0) > 0);
    await first.kill();
    const second = pion.connect?.(relay.port, wish, files);
    assert.ok(second);
    for (const line of lines) await second.receivedEcho(line);
    await ours.tells("connected", 2);
    await second.kill();
    relay.close();
    await ours.close();
  });
});
