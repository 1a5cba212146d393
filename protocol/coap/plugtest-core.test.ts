/** ETSI CoAP plugtest, TD_COAP_CORE, with this endpoint as the server and messages from another codec. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld, type World } from "../testing/coap-world.ts";
import { type PacketAnswer, PacketPeer } from "../testing/packet-peer.ts";
import { PlugtestSite } from "../testing/plugtest-site.ts";

async function atSite(run: (peer: PacketPeer, world: World) => Promise<void>): Promise<void> {
  const world = openWorld();
  new PlugtestSite(world.endpoint(), world.clock);
  await run(new PacketPeer(world.scripted()), world);
  await world.end();
}

const summaryOf = ({ type, code, token }: PacketAnswer): string => `${type} ${code} ${token}`;

for (const { id, title, code, type, answer } of [
  { id: "01", title: "GET, CON", code: "0.01", type: "CON", answer: "ACK 2.05 77" },
  { id: "02", title: "DELETE, CON", code: "0.04", type: "CON", answer: "ACK 2.02 77" },
  { id: "03", title: "PUT, CON", code: "0.03", type: "CON", answer: "ACK 2.04 77" },
  { id: "04", title: "POST, CON", code: "0.02", type: "CON", answer: "ACK 2.01 77" },
  { id: "05", title: "GET, NON", code: "0.01", type: "NON", answer: "NON 2.05 77" },
  { id: "06", title: "DELETE, NON", code: "0.04", type: "NON", answer: "NON 2.02 77" },
  { id: "07", title: "PUT, NON", code: "0.03", type: "NON", answer: "NON 2.04 77" },
  { id: "08", title: "POST, NON", code: "0.02", type: "NON", answer: "NON 2.01 77" },
] as const) {
  test(`TD_COAP_CORE_${id}: ${title}`, () =>
    atSite(async (peer) => {
      const reply = await peer.askOne({ code, path: "/test", type, payload: code === "0.03" || code === "0.02" ? "body" : "" });
      assert.equal(summaryOf(reply), answer);
      if (code === "0.01") assert.deepEqual([reply.uint("Content-Format"), reply.payload], [0, "test"]);
    }));
}

for (const { id, title, token } of [
  { id: "09", title: "GET with a separate response", token: "77" },
  { id: "11", title: "GET with a token and a separate response", token: "0102030405060708" },
]) {
  test(`TD_COAP_CORE_${id}: ${title}`, () =>
    atSite(async (peer) => {
      const [empty, ...none] = await peer.ask({ code: "0.01", path: "/separate", token }, 1_100);
      assert.ok(empty);
      assert.deepEqual([summaryOf(empty), none], ["ACK 0.00 ", []]);
      const [response] = await peer.listen(2_500);
      assert.ok(response);
      assert.equal(summaryOf(response), `CON 2.05 ${token}`);
      assert.notEqual(response.messageId, empty.messageId);
      peer.acknowledge(response);
      assert.deepEqual(await peer.listen(100_000), [], "acknowledged, so it is not sent again");
    }));
}

test("TD_COAP_CORE_10: a token is repeated", () =>
  atSite(async (peer) => {
    assert.equal(summaryOf(await peer.askOne({ code: "0.01", path: "/test", token: "deadbeefcafe0102" })), "ACK 2.05 deadbeefcafe0102");
  }));

test("TD_COAP_CORE_12: a request without a token", () =>
  atSite(async (peer) => {
    assert.equal(summaryOf(await peer.askOne({ code: "0.01", path: "/test", token: "" })), "ACK 2.05 ");
  }));

test("TD_COAP_CORE_13: several Uri-Path options", () =>
  atSite(async (peer) => {
    assert.equal((await peer.askOne({ code: "0.01", path: "/seg1/seg2/seg3" })).payload, "/seg1/seg2/seg3");
    assert.equal((await peer.askOne({ code: "0.01", path: "/seg1/seg2" })).code, "4.04");
  }));

test("TD_COAP_CORE_14: several Uri-Query options", () =>
  atSite(async (peer) => {
    const query = ["first=1", "second=2", "third=3"];
    assert.equal((await peer.askOne({ code: "0.01", path: "/query", query })).payload, "first=1&second=2&third=3");
  }));

test("TD_COAP_CORE_15: lossy, piggybacked: the repeated request gets the same answer", () =>
  atSite(async (peer) => {
    const request = peer.encode({ code: "0.02", path: "/test" });
    peer.sendAgain(request);
    const [first] = await peer.listen();
    peer.sendAgain(request);
    const [second] = await peer.listen();
    assert.equal(first?.hex, second?.hex);
    assert.equal(first?.code, "2.01");
  }));

test("TD_COAP_CORE_16: lossy, separate: the request is answered once, its response repeated until it is acknowledged", () =>
  atSite(async (peer) => {
    const request = peer.encode({ code: "0.01", path: "/separate" });
    peer.sendAgain(request);
    assert.deepEqual((await peer.listen(1_100)).map(summaryOf), ["ACK 0.00 "]);
    peer.sendAgain(request);
    assert.deepEqual((await peer.listen(500)).map(summaryOf), ["ACK 0.00 "], "the ACK was lost: it comes again");
    const copies = await peer.listen(6_000);
    assert.deepEqual(copies.map(summaryOf), ["CON 2.05 77", "CON 2.05 77"]);
    assert.equal(new Set(copies.map(({ hex }) => hex)).size, 1);
    assert.ok(copies[0]);
    peer.acknowledge(copies[0]);
    assert.deepEqual(await peer.listen(100_000), []);
  }));

test("TD_COAP_CORE_17: separate response to NON: NON, without an empty ACK", () =>
  atSite(async (peer) => {
    assert.deepEqual((await peer.ask({ code: "0.01", path: "/separate", type: "NON" }, 4_000)).map(summaryOf), ["NON 2.05 77"]);
  }));

test("TD_COAP_CORE_18: POST with several Location-Path options in the answer", () =>
  atSite(async (peer) => {
    const { code, all } = await peer.askOne({ code: "0.02", path: "/test" });
    assert.deepEqual([code, all("Location-Path")], ["2.01", ["location1", "location2", "location3"]]);
  }));

test("TD_COAP_CORE_19: POST with several Location-Query options in the answer", () =>
  atSite(async (peer) => {
    const { code, all } = await peer.askOne({ code: "0.02", path: "/location-query" });
    assert.deepEqual([code, all("Location-Query")], ["2.01", ["first=1", "second=2"]]);
  }));

test("TD_COAP_CORE_20: Accept chooses the Content-Format, one that there is not gives 4.06", () =>
  atSite(async (peer) => {
    const ask = async (accept: readonly number[]) => {
      const { code, payload, uint } = await peer.askOne({
        code: "0.01",
        path: "/multi-format",
        options: [["Accept", Uint8Array.from(accept)]],
      });
      return [code, uint("Content-Format"), payload];
    };
    assert.deepEqual(await ask([]), ["2.05", 0, "v"]);
    assert.deepEqual(await ask([41]), ["2.05", 41, "<v/>"]);
    assert.deepEqual(await ask([50]), ["4.06", undefined, ""]);
  }));

test("TD_COAP_CORE_21: GET with ETag: 2.03 while it is valid, 2.05 with another after a change", () =>
  atSite(async (peer) => {
    const get = (etag?: Uint8Array) =>
      peer.askOne({ code: "0.01", path: "/validate", options: etag === undefined ? [] : [["ETag", etag]] });
    const etagOf = ({ hex }: PacketAnswer) => Uint8Array.from(Buffer.from(/77(44)(.{8})/.exec(hex)?.[2] ?? "", "hex"));
    const first = await get();
    assert.deepEqual([first.code, etagOf(first).length], ["2.05", 4]);
    const valid = await get(etagOf(first));
    assert.deepEqual([valid.code, valid.payload, etagOf(valid)], ["2.03", "", etagOf(first)]);
    assert.equal((await peer.askOne({ code: "0.03", path: "/validate", payload: "second" })).code, "2.04");
    const changed = await get(etagOf(first));
    assert.deepEqual([changed.code, changed.payload], ["2.05", "second"]);
    assert.notDeepEqual(etagOf(changed), etagOf(first));
  }));

test("TD_COAP_CORE_22: PUT with If-Match: 2.04 while it matches, 4.12 after another change", () =>
  atSite(async (peer) => {
    const { hex } = await peer.askOne({ code: "0.01", path: "/validate" });
    const etag = Buffer.from(/7744(.{8})/.exec(hex)?.[1] ?? "", "hex");
    const put = (payload: string) => peer.askOne({ code: "0.03", path: "/validate", options: [["If-Match", etag]], payload });
    assert.equal((await put("changed")).code, "2.04");
    assert.equal((await put("again")).code, "4.12");
    assert.equal((await peer.askOne({ code: "0.01", path: "/validate" })).payload, "changed");
  }));

test("TD_COAP_CORE_23: PUT with If-None-Match: 2.01 where there is nothing, 4.12 where there is", () =>
  atSite(async (peer) => {
    const put = (payload: string) =>
      peer.askOne({ code: "0.03", path: "/create1", options: [["If-None-Match", new Uint8Array(0)]], payload });
    assert.equal((await put("one")).code, "2.01");
    assert.equal((await put("two")).code, "4.12");
    assert.equal((await peer.askOne({ code: "0.01", path: "/create1" })).payload, "one");
  }));

test("TD_COAP_CORE_31: CoAP ping is answered with RST of the same message id", () =>
  atSite(async (_, world) => {
    const peer = world.scripted({ address: "10.0.1.9", port: 9 });
    assert.deepEqual(await peer.ask("4000abcd"), ["7000abcd"]);
  }));
