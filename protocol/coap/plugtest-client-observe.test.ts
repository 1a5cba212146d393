/** ETSI CoAP plugtest, observe, with this endpoint as the client; a scripted peer with another codec plays the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PacketAnswer } from "../testing/packet-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method } from "./codes.ts";
import type { HeldObservation } from "./observation.ts";
import { type Scene, withServer } from "./plugtest-client-fixture.ts";

interface Watched extends Scene {
  readonly register: PacketAnswer;
  readonly seen: string[];
  readonly cancel: HeldObservation["cancel"];
  notify(number: number, type: "CON" | "NON", payload: string): void;
}

async function observing(run: (scene: Watched) => Promise<void>): Promise<void> {
  await withServer(async (scene) => {
    const { client, server, to, listenOne } = scene;
    const seen: string[] = [];
    const listener = {
      onNotification: ({ payload }: { payload: Uint8Array }) => void seen.push(Buffer.from(payload).toString()),
      onEnd: (reason: string) => void seen.push(reason),
    };
    const outcome = watch(client.observe(to, { method: Method.get, path: ["obs"] }, listener));
    const register = await listenOne();
    assert.deepEqual([register.uint("Observe"), register.all("Uri-Path")], [0, ["obs"]]);
    server.respond(register, { code: "2.05", options: [["Observe", Uint8Array.of(1)]], payload: "0" });
    await server.listen();
    const end = outcome();
    assert.ok(end?.ok && end.observing);
    await run({
      ...scene,
      register,
      seen,
      cancel: (mode) => end.observation.cancel(mode),
      notify: (number, type, payload) =>
        void server.respond(register, { code: "2.05", type, options: [["Observe", Uint8Array.of(number)]], payload }),
    });
  });
}

for (const { id, type, heard } of [
  { id: "01", type: "CON", heard: ["ACK"] },
  { id: "02", type: "NON", heard: [] },
] as const) {
  test(`TD_COAP_OBS_${id}: client, notifications, ${type}, one that was overtaken is dropped`, () =>
    observing(async ({ server, seen, notify }) => {
      for (const [number, body] of [
        [2, "1"],
        [4, "3"],
        [3, "2"],
      ] as const) {
        notify(number, type, body);
        assert.deepEqual(
          (await server.listen()).map((message) => message.type),
          heard,
        );
      }
      assert.deepEqual(seen, ["1", "3"]);
    }));
}

test("TD_COAP_OBS_06: client, a relation it forgot: the next notification is answered RST", () =>
  observing(async ({ cancel, notify, listenOne }) => {
    await cancel("passive");
    notify(2, "CON", "1");
    assert.equal((await listenOne()).type, "RST");
  }));

for (const { id, code } of [
  { id: "07", code: "4.04" },
  { id: "08", code: "4.06" },
]) {
  test(`TD_COAP_OBS_${id}: client, ${code} ends the relation`, () =>
    observing(async ({ server, register, seen, listenOne, notify }) => {
      server.respond(register, { code, type: "CON" });
      assert.equal((await listenOne()).type, "ACK");
      assert.deepEqual(seen, ["peer-ended"]);
      notify(9, "CON", "x");
      assert.equal((await listenOne()).type, "RST");
    }));
}

test("TD_COAP_OBS_12: client, GET with Observe 1 and the same token", () =>
  observing(async ({ cancel, server, register, listenOne, seen }) => {
    const cancelled = watch(cancel("active"));
    const request = await listenOne();
    assert.deepEqual([request.code, request.uint("Observe"), request.token], ["0.01", 1, register.token]);
    server.respond(request, { code: "2.05", payload: "last" });
    await server.listen();
    const told = cancelled();
    assert.deepEqual([told?.ok, Buffer.from(told?.response?.payload ?? []).toString()], [true, "last"]);
    assert.deepEqual(seen, ["cancelled"]);
  }));

test("TD_COAP_OBS_13: client, a large notification: the rest is fetched with another token and without Observe", () =>
  observing(async ({ server, register, seen, listenOne }) => {
    const options = [
      ["Observe", Uint8Array.of(2)],
      ["Block2", Uint8Array.of(0x08)],
    ] as const;
    server.respond(register, { code: "2.05", type: "CON", options, payload: "a".repeat(16) });
    const fetch = await listenOne();
    assert.deepEqual([fetch.code, fetch.uint("Observe"), fetch.uint("Block2")], ["0.01", undefined, 0x10]);
    assert.notEqual(fetch.token, register.token);
    server.respond(fetch, { code: "2.05", options: [["Block2", Uint8Array.of(0x10)]], payload: "b" });
    assert.equal((await listenOne()).type, "ACK", "acknowledged once it is whole");
    assert.deepEqual(seen, [`${"a".repeat(16)}b`]);
  }));

test("TD_COAP_OBS_14: client, the body shrank before its later blocks were fetched: what there is now is fetched from the start", () =>
  observing(async ({ server, register, seen, listenOne }) => {
    const options = [
      ["Observe", Uint8Array.of(2)],
      ["Block2", Uint8Array.of(0x08)],
    ] as const;
    server.respond(register, { code: "2.05", type: "CON", options, payload: "a".repeat(16) });
    server.respond(await listenOne(), { code: "4.02" });
    const again = await listenOne();
    assert.deepEqual([again.code, again.uint("Observe"), again.uint("Block2")], ["0.01", undefined, 0]);
    server.respond(again, { code: "2.05", payload: "b" });
    assert.equal((await listenOne()).type, "ACK");
    assert.deepEqual(seen, ["b"]);
  }));

test("RFC 7641 §3.2: client, an error in answer to later blocks is no notification: neither delivered nor acknowledged", () =>
  observing(async ({ server, register, seen, listenOne }) => {
    const options = [
      ["Observe", Uint8Array.of(2)],
      ["Block2", Uint8Array.of(0x08)],
    ] as const;
    server.respond(register, { code: "2.05", type: "CON", options, payload: "a".repeat(16) });
    server.respond(await listenOne(), { code: "4.08" });
    server.respond(await listenOne(), { code: "4.08" });
    assert.deepEqual(await server.listen(), []);
    assert.deepEqual(seen, []);
  }));
