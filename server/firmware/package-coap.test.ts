import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse, OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { ScriptedPeer } from "@lwm2m/protocol/testing/scripted-peer";
import { FirmwareWorld, image } from "../testing/firmware-world.ts";
import { codeOf } from "../testing/scripted-device.ts";
import { serverAddress } from "../testing/server-world.ts";

const sha256 = createHash("sha256").update(image).digest("hex");
const opaque = 42;
/** Option numbers and values of RFC 7959 §2.1. */
const block2 = 23;
const etag = 4;
const szx1024 = 6;

let run: FirmwareWorld;
let updateId: string;

beforeEach(async () => {
  run = await FirmwareWorld.open();
  run.device.behaviour.fetches = false;
  await run.device.device.register();
  updateId = await run.start();
  await run.reach(updateId, ["downloading"]);
});

afterEach(() => run.close());

describe("RFC 7959 §2.4: GET /fw/{token}", () => {
  const path = async (): Promise<readonly string[]> => ["fw", (await run.find(updateId)).downloadToken];

  const get = (segments: readonly string[], more: Partial<OutgoingRequest> = {}): Promise<IncomingResponse> =>
    run.device.device.send({ method: Method.get, path: segments, ...more });

  test("the whole package, as opaque bytes, with an ETag", async () => {
    const response = await get(await path(), { accept: opaque });
    assert.equal(codeOf(response), "2.05");
    assert.equal(response.contentFormat, opaque);
    assert.deepEqual(response.payload, image);
    assert.equal(Buffer.from(response.etag ?? []).toString("hex"), sha256.slice(0, 16));
  });

  test("any block in any order, by a server that keeps nothing: each with the same ETag, more until the last", async () => {
    const segments = await path();
    const last = Math.floor(image.length / 1_024);
    for (const number of [3, 0, last, 1]) {
      const answer = await block(segments, number);
      assert.deepEqual(answer.payload, image.slice(number * 1_024, (number + 1) * 1_024), `block ${number}`);
      assert.deepEqual([answer.more, answer.etag], [number < last, sha256.slice(0, 16)], `block ${number}`);
    }
    assert.equal((await block(segments, last + 1)).code, "4.02", "beyond the end");
  });

  test("RFC 7959 §2.4: a device gets blocks that fit its link", async () => {
    const { links, registrations } = run.world.server;
    const request: OutgoingRequest = { method: Method.get, path: await path() };
    const whole = await run.world.until(run.device.device.request(request));
    assert.equal(whole.facts.datagramsSent, Math.ceil(image.length / 1_024));
    await run.world.until(links.set("dev-1", { profile: "lorawan" }));
    await run.world.until(registrations.placeAgain("dev-1"));
    const small = await run.world.until(run.device.device.request(request));
    assert.equal(small.facts.datagramsSent, Math.ceil(image.length / 64));
    assert.deepEqual(small.ok && small.response.payload, image);
  });

  test("an update that is over is served no longer, from one moment to the next", async () => {
    const segments = await path();
    assert.equal((await block(segments, 0)).code, "2.05");
    assert.equal((await run.cancel(updateId)).ok, true);
    assert.equal((await block(segments, 1)).code, "4.04");
  });

  test("unknown tokens, no token, something behind it: 4.04; other methods: 4.05; other formats: 4.06", async () => {
    const segments = await path();
    for (const wrong of [["fw"], ["fw", ""], ["fw", "none"], [...segments, "x"]]) {
      assert.equal(codeOf(await get(wrong)), "4.04", wrong.join("/"));
    }
    for (const method of [Method.post, Method.put, Method.delete]) assert.equal(codeOf(await get(segments, { method })), "4.05");
    assert.equal(codeOf(await get(segments, { accept: 0 })), "4.06");
  });

  test("progress is stored now and then, and in the end; repeated last blocks are no news", async () => {
    const segments = await path();
    const served = () => run.find(updateId);
    await block(segments, 0);
    await block(segments, 1);
    assert.equal((await served()).servedBytes, 1_024);
    await block(segments, 4);
    assert.equal((await served()).servedBytes, image.length);
    const lastAt = (await served()).servedAt;
    for (let i = 0; i < 10; i += 1) await block(segments, 4);
    assert.equal((await served()).servedAt, lastAt);
  });

  /** One datagram there and back: an endpoint of our own would fetch the rest by itself. */
  async function block(segments: readonly string[], number: number) {
    const peer = new ScriptedPeer(run.world.network, run.world.clock, { address: "10.0.0.9", port: 0 }, serverAddress);
    const messageId = (++messageIds).toString(16).padStart(4, "0");
    // CON GET, token 01020304, Uri-Path twice, Block2.
    const [prefix = "", token = ""] = segments;
    const uriPath = `b2${hexOf(prefix)} 0d${(token.length - 13).toString(16).padStart(2, "0")}${hexOf(token)}`;
    const [answer = ""] = await peer.ask(
      `4401${messageId} 01020304 ${uriPath} c1${((number << 4) | szx1024).toString(16).padStart(2, "0")}`,
    );
    await peer.close();
    return readBlock(Buffer.from(answer, "hex"));
  }
});

let messageIds = 0x1000;

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** RFC 7252 §3, as far as answers of the package server go: no option has an extended delta, none is longer than 12 bytes. */
function readBlock(datagram: Buffer) {
  const code = datagram[1] ?? 0;
  const options = new Map<number, Buffer>();
  let offset = 4 + ((datagram[0] ?? 0) & 15);
  let number = 0;
  while (offset < datagram.length && datagram[offset] !== 0xff) {
    const head = datagram[offset] ?? 0;
    number += head >> 4;
    options.set(number, datagram.subarray(offset + 1, offset + 1 + (head & 15)));
    offset += 1 + (head & 15);
  }
  return {
    code: `${code >> 5}.${String(code & 31).padStart(2, "0")}`,
    payload: new Uint8Array(datagram.subarray(offset + 1)),
    etag: options.get(etag)?.toString("hex"),
    more: ((options.get(block2)?.at(-1) ?? 0) & 8) !== 0,
  };
}
