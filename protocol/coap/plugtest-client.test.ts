/** ETSI CoAP plugtest, with this endpoint as the client; a scripted peer with another codec plays the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "./codes.ts";
import { OptionNumber } from "./options.ts";
import { textOf, withServer } from "./plugtest-client-fixture.ts";

for (const { ids, method, code, answer } of [
  { ids: ["01", "05"], method: Method.get, code: "0.01", answer: "2.05" },
  { ids: ["02", "06"], method: Method.delete, code: "0.04", answer: "2.02" },
  { ids: ["03", "07"], method: Method.put, code: "0.03", answer: "2.04" },
  { ids: ["04", "08"], method: Method.post, code: "0.02", answer: "2.01" },
] as const) {
  for (const confirmable of [true, false]) {
    test(`TD_COAP_CORE_${confirmable ? ids[0] : ids[1]}: client, ${code}, ${confirmable ? "CON" : "NON"}`, () =>
      withServer(async ({ ask, server }) => {
        const body = method === Method.put || method === Method.post ? { payload: Buffer.from("body"), contentFormat: 0 } : {};
        const { heard, outcome } = await ask({ method, path: ["test"], confirmable, ...body });
        assert.deepEqual([heard.type, heard.code, heard.all("Uri-Path")], [confirmable ? "CON" : "NON", code, ["test"]]);
        assert.equal(heard.payload, "payload" in body ? "body" : "");
        assert.equal(heard.token.length, 16, "8 random bytes");
        server.respond(heard, { code: answer, type: confirmable ? "ACK" : "NON", payload: "x" });
        await server.listen();
        assert.equal(outcome()?.ok, true);
      }));
  }
}

test("TD_COAP_CORE_09, _11: client, empty ACK first, the response later is acknowledged", () =>
  withServer(async ({ ask, server, listenOne }) => {
    const { heard, outcome } = await ask({ method: Method.get, path: ["separate"] });
    server.acknowledge(heard);
    assert.deepEqual(await server.listen(60_000), [], "acknowledged: not sent again");
    server.respond(heard, { code: "2.05", type: "CON", payload: "late" });
    assert.equal((await listenOne()).type, "ACK");
    assert.deepEqual(textOf(outcome()), [0x45, "late"]);
  }));

test("TD_COAP_CORE_13, _14, _20: client, path, query and Accept as options of their own", () =>
  withServer(async ({ ask, server }) => {
    const { heard, outcome } = await ask({ method: Method.get, path: ["seg1", "seg2"], query: ["first=1", "second=2"], accept: 41 });
    assert.deepEqual(
      [heard.all("Uri-Path"), heard.all("Uri-Query"), heard.uint("Accept")],
      [["seg1", "seg2"], ["first=1", "second=2"], 41],
    );
    server.respond(heard, { code: "4.06" });
    await server.listen();
    assert.deepEqual(textOf(outcome()), [0x86, ""]);
  }));

test("TD_COAP_CORE_15: client, lossy: the same message again after the first timeout", () =>
  withServer(async ({ ask, server, listenOne }) => {
    const { heard, outcome } = await ask({ method: Method.get, path: ["test"] });
    const again = await listenOne(3_000);
    assert.equal(again.hex, heard.hex);
    server.respond(again, { code: "2.05", payload: "x" });
    await server.listen();
    assert.deepEqual(textOf(outcome()), [0x45, "x"]);
  }));

test("TD_COAP_CORE_16: client, lossy, separate: a repeated response is acknowledged again and delivered once", () =>
  withServer(async ({ ask, server, listenOne }) => {
    const { heard, outcome } = await ask({ method: Method.get, path: ["separate"] });
    server.acknowledge(heard);
    const response = server.respond(heard, { code: "2.05", type: "CON", payload: "once" });
    const first = await listenOne();
    server.sendAgain(response);
    assert.equal((await listenOne()).hex, first.hex);
    assert.equal(first.type, "ACK");
    assert.deepEqual(textOf(outcome()), [0x45, "once"]);
  }));

test("TD_COAP_CORE_18, _21: client, Location-Path and ETag of the answer, ETag and If-Match of the request", () =>
  withServer(async ({ ask, server }) => {
    const etag = Uint8Array.of(0xff, 0xfe, 1);
    const { heard, outcome } = await ask({
      method: Method.put,
      path: ["validate"],
      options: [
        { number: OptionNumber.ifMatch, value: etag },
        { number: OptionNumber.etag, value: etag },
      ],
    });
    assert.match(heard.hex, /^48.{6}.{16}13fffe0133fffe01/);
    server.respond(heard, {
      code: "2.01",
      options: [
        ["ETag", etag],
        ["Location-Path", Buffer.from("a")],
        ["Location-Path", Buffer.from("b")],
      ],
    });
    await server.listen();
    const end = outcome();
    assert.ok(end?.ok);
    assert.deepEqual([end.response.locationPath, end.response.etag], [["a", "b"], etag]);
  }));

for (const { id, offered } of [
  { id: "01", offered: 1 },
  { id: "06", offered: 0 },
]) {
  test(`TD_COAP_BLOCK_${id}: client, GET of a large resource in blocks of ${16 << offered}`, () =>
    withServer(async ({ ask, server, listenOne }) => {
      const size = 16 << offered;
      let { heard, outcome } = await ask({ method: Method.get, path: ["large"] });
      for (let number = 0; number < 3; number++) {
        const more = number < 2;
        const value = (number << 4) | (more ? 8 : 0) | offered;
        server.respond(heard, {
          code: "2.05",
          options: [["Block2", Uint8Array.of(value)]],
          payload: String(number).repeat(more ? size : 3),
        });
        if (more) {
          heard = await listenOne();
          assert.equal(heard.uint("Block2"), ((number + 1) << 4) | offered);
        }
      }
      await server.listen();
      assert.deepEqual(textOf(outcome()), [0x45, `${"0".repeat(size)}${"1".repeat(size)}222`]);
    }));
}

test("TD_COAP_BLOCK_03, _04: client, a large body, the server's smaller size taken over at the byte it stands at", () =>
  withServer(async ({ ask, server, listenOne }) => {
    const payload = Uint8Array.from({ length: 1_500 }, (_, i) => 0x61 + (i % 26));
    let { heard, outcome } = await ask({ method: Method.put, path: ["large-update"], payload });
    assert.deepEqual([heard.uint("Block1"), heard.uint("Size1"), heard.payload.length], [0x0e, 1_500, 1_024]);
    let received = heard.payload;
    server.respond(heard, { code: "2.31", options: [["Block1", Uint8Array.of(0x0c)]] });
    for (const value of [0x4c, 0x54]) {
      heard = await listenOne();
      assert.equal(heard.uint("Block1"), value);
      received += heard.payload;
      server.respond(heard, { code: value === 0x54 ? "2.04" : "2.31", options: [["Block1", Uint8Array.of(value)]] });
    }
    await server.listen();
    assert.equal(outcome()?.ok, true);
    assert.equal(received, Buffer.from(payload).toString());
  }));

test("TD_COAP_BLOCK_05: client, a large answer to POST: later blocks with the same options, without Block1 and payload", () =>
  withServer(async ({ ask, server, listenOne }) => {
    const { heard, outcome } = await ask({
      method: Method.post,
      path: ["large-post"],
      query: ["a"],
      contentFormat: 41,
      payload: Buffer.from("x"),
    });
    server.respond(heard, { code: "2.04", options: [["Block2", Uint8Array.of(0x08)]], payload: "0".repeat(16) });
    const later = await listenOne();
    assert.deepEqual(
      [later.code, later.all("Uri-Path"), later.all("Uri-Query"), later.uint("Content-Format"), later.uint("Block2"), later.payload],
      ["0.02", ["large-post"], ["a"], 41, 0x10, ""],
    );
    server.respond(later, { code: "2.04", options: [["Block2", Uint8Array.of(0x10)]], payload: "1" });
    await server.listen();
    assert.deepEqual(textOf(outcome()), [0x44, `${"0".repeat(16)}1`]);
  }));
