/** ETSI CoAP plugtest, TD_COAP_LINK and TD_COAP_BLOCK, with this endpoint as the server and messages from another codec. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld } from "../testing/coap-world.ts";
import { type PacketAnswer, PacketPeer, type PacketRequest } from "../testing/packet-peer.ts";
import { largeBody, PlugtestSite, siteLinks } from "../testing/plugtest-site.ts";
import { formatResourceLinks } from "./well-known-core.ts";

async function atSite(run: (peer: PacketPeer) => Promise<void>): Promise<void> {
  const world = openWorld();
  new PlugtestSite(world.endpoint(), world.clock);
  await run(new PacketPeer(world.scripted()));
  await world.end();
}

const large = Buffer.from(largeBody).toString();
const [get, post, put] = ["0.01", "0.02", "0.03"];
const all =
  '</test>;rt="test";ct=0,</link1>;rt="Type1 Type2";if="If1",</link2>;rt="Type2 Type3";if="If2",</link3>;rt="Type1 Type3";if="foo",</large>;sz=1700,</obs>;obs,</path>;ct=40';

test("TD_COAP_LINK_01: the list of resources", () =>
  atSite(async (peer) => {
    const { code, payload, uint } = await peer.askOne({ code: get, path: "/.well-known/core" });
    assert.deepEqual([code, uint("Content-Format"), payload], ["2.05", 40, all]);
  }));

for (const { id, title, query, targets } of [
  { id: "02", title: "filtered by one rt", query: "rt=test", targets: "/test" },
  { id: "03", title: "empty prefix: whatever has an rt", query: "rt=*", targets: "/test /link1 /link2 /link3" },
  { id: "04", title: "one of several rt values", query: "rt=Type2", targets: "/link1 /link2" },
  { id: "05", title: "if by prefix", query: "if=If*", targets: "/link1 /link2" },
  { id: "06", title: "whatever has a sz", query: "sz=*", targets: "/large" },
  { id: "07", title: "href, whole", query: "href=/link1", targets: "/link1" },
  { id: "08", title: "href by prefix", query: "href=/link*", targets: "/link1 /link2 /link3" },
]) {
  test(`TD_COAP_LINK_${id}: ${title}`, () =>
    atSite(async (peer) => {
      const { code, payload, uint } = await peer.askOne({ code: get, path: "/.well-known/core", query: [query] });
      assert.deepEqual([code, uint("Content-Format")], ["2.05", 40]);
      assert.deepEqual([...payload.matchAll(/<(.*?)>/g)].map((match) => match[1]).join(" "), targets);
    }));
}

test("TD_COAP_LINK_09: links arranged in levels", () =>
  atSite(async (peer) => {
    assert.match((await peer.askOne({ code: get, path: "/.well-known/core", query: ["href=/path"] })).payload, /^<\/path>;ct=40$/);
    const level = await peer.askOne({ code: get, path: "/path" });
    assert.deepEqual([level.uint("Content-Format"), level.payload], [40, "</path/sub1>,</path/sub2>"]);
    assert.equal((await peer.askOne({ code: get, path: "/path/sub1" })).payload, "/path/sub1");
  }));

test("RFC 6690 §2, §4.1: several filters narrow; flags and unknown names select nothing; quotes and reserved characters are escaped", () => {
  const targets = (...query: string[]) => formatResourceLinks(siteLinks, query).replaceAll(/;[^,]*/g, "");
  assert.equal(targets("rt=Type3", "if=foo"), "</link3>");
  for (const query of ["obs=*", "colour=*", "rt", "", "=x", "rt=Type1 Type2"]) assert.equal(targets(query), "", query);
  const link = { path: ["a b", "ü"], attributes: { title: 'say "\\"' } };
  assert.equal(formatResourceLinks([link]), '</a%20b/%C3%BC>;title="say \\"\\\\\\""');
});

const block = (name: "Block1" | "Block2", number: number, more: boolean, exponent: number): readonly [string, Uint8Array] => {
  const value = (number << 4) | (more ? 8 : 0) | exponent;
  return [name, value > 0xff ? Uint8Array.of(value >> 8, value & 0xff) : Uint8Array.of(value)];
};

/** Fetches what follows `first` block by block, as the descriptions say: the next number, the same size. */
async function followBlocks(peer: PacketPeer, request: PacketRequest, first: PacketAnswer): Promise<string> {
  let body = first.payload;
  let value = first.uint("Block2") ?? 0;
  for (let number = 1; (value & 8) !== 0; number++) {
    const answer = await peer.askOne({ ...request, options: [block("Block2", number, false, value & 7)] });
    value = answer.uint("Block2") ?? 0;
    assert.equal(value >> 4, number);
    body += answer.payload;
  }
  return body;
}

for (const { id, title, exponent } of [
  { id: "01", title: "early negotiation", exponent: 5 },
  { id: "06", title: "early negotiation, blocks of 16", exponent: 0 },
]) {
  test(`TD_COAP_BLOCK_${id}: GET of a large resource, ${title}`, () =>
    atSite(async (peer) => {
      const request = { code: get, path: "/large" };
      const first = await peer.askOne({ ...request, options: [block("Block2", 0, false, exponent)] });
      assert.equal(first.uint("Block2"), 8 | exponent);
      assert.equal(first.payload.length, 16 << exponent);
      assert.equal(await followBlocks(peer, request, first), large);
    }));
}

test("TD_COAP_BLOCK_02: GET of a large resource, late negotiation: blocks of the server's size, then of a smaller one", () =>
  atSite(async (peer) => {
    const first = await peer.askOne({ code: get, path: "/large" });
    assert.equal(first.uint("Block2"), 0x0e);
    let body = first.payload;
    for (let number = 8, more = true; more; number++) {
      const answer = await peer.askOne({ code: get, path: "/large", options: [block("Block2", number, false, 3)] });
      more = ((answer.uint("Block2") ?? 0) & 8) !== 0;
      body += answer.payload;
    }
    assert.equal(body, large);
  }));

/** Sends `large` in blocks of 512 and returns the final answer; every other one must be 2.31 and name its block. */
async function sendBlocks(peer: PacketPeer, request: PacketRequest): Promise<PacketAnswer> {
  for (let number = 0; ; number++) {
    const more = (number + 1) * 512 < large.length;
    const payload = large.slice(number * 512, (number + 1) * 512);
    const answer = await peer.askOne({ ...request, options: [block("Block1", number, more, 5)], payload });
    assert.equal((answer.uint("Block1") ?? -1) >> 4, number);
    if (!more) return answer;
    assert.equal(answer.code, "2.31");
  }
}

test("TD_COAP_BLOCK_03: PUT of a large resource", () =>
  atSite(async (peer) => {
    assert.equal((await sendBlocks(peer, { code: put, path: "/large-update" })).code, "2.01");
    assert.equal((await sendBlocks(peer, { code: put, path: "/large-update" })).code, "2.04");
    const request = { code: get, path: "/large-update" };
    assert.equal(await followBlocks(peer, request, await peer.askOne(request)), large);
  }));

test("TD_COAP_BLOCK_04: POST that creates a large resource", () =>
  atSite(async (peer) => {
    const created = await sendBlocks(peer, { code: post, path: "/large-create" });
    assert.deepEqual([created.code, created.all("Location-Path")], ["2.01", ["large-create"]]);
    const request = { code: get, path: "/large-create" };
    assert.equal(await followBlocks(peer, request, await peer.askOne(request)), large);
  }));

test("TD_COAP_BLOCK_05: POST, large both ways", () =>
  atSite(async (peer) => {
    const request = { code: post, path: "/large-post" };
    const first = await sendBlocks(peer, request);
    assert.deepEqual([first.code, first.uint("Block2")], ["2.04", 0x0e]);
    assert.equal(await followBlocks(peer, request, first), large);
  }));
