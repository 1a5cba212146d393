import assert from "node:assert/strict";
import { test } from "node:test";
import { isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { openWorld, type World } from "./testing/world.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const tlv = (payload: Uint8Array) => ({ contentFormat: ContentFormat.tlv, payload });
/** 2: 101, 3: 1010, 5: 2000, 6: true, 7: "U" (OMA test specification, case 215). */
const case215 = bytes("C1 02 65 C2 03 03 F2 C2 05 07 D0 C1 06 01 C1 07 55");

async function responseTo(world: World, method: Method, path: string, more: object): Promise<IncomingResponse> {
  const outcome = await world.server.send({ method, path: path.split("/").slice(1), ...more });
  assert.ok(outcome.ok);
  return outcome.response;
}

async function readHex(world: World, path: string, accept: number): Promise<string> {
  return Buffer.from((await responseTo(world, Method.get, path, { accept })).payload).toString("hex");
}

test("LightweightM2M-1.0-int-215: partial update and replace in TLV", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(await world.server.ask(Method.post, "/1/0", tlv(case215)), "2.04");
  // 0: 1, 1: 300, then what was written.
  assert.equal(await readHex(world, "/1/0", ContentFormat.tlv), "c10001c2" + "01012cc10265c20303f2c20507d0c10601c10755");
  assert.equal(await world.server.ask(Method.put, "/1/0", tlv(bytes("C1 01 3C C1 06 00 C1 07 55"))), "2.04");
  assert.equal(await readHex(world, "/1/0", ContentFormat.tlv), "c10001c1013cc10600c10755");
  await world.close();
});

test("LightweightM2M-1.1-int-211, 222: one value in CBOR, an object in SenML CBOR and TLV", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(await readHex(world, "/1/0/0", ContentFormat.cbor), "01");
  assert.equal(await readHex(world, "/1/0/6", ContentFormat.cbor), "f5");
  assert.equal(await readHex(world, "/1/0/7", ContentFormat.cbor), "6155");
  // Object instance 0, then its resources.
  assert.match(await readHex(world, "/1", ContentFormat.tlv), /^08001[0-9a-f]c10001c201012c/);
  assert.match(await readHex(world, "/1", ContentFormat.senmlCbor), /^8[0-9a-f]a[0-9a-f]/);
  await world.close();
});

test("LwM2M Core 1.1 §6.3.5: several instances in one Create, all of them or none, in every format that names them", async () => {
  const world = openWorld();
  await world.open();
  const two = await responseTo(world, Method.post, "/3303", tlv(bytes("08 05 07 E4 16 44 3F C0 00 00 08 06 00")));
  assert.deepEqual([two.code, two.locationPath], [0x41, []]);
  assert.equal(await readHex(world, "/3303/6/5701", ContentFormat.text), Buffer.from("Cel").toString("hex"));
  const senml = (text: string) => ({ contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode(text) });
  assert.match(
    await world.server.ask(Method.post, "/3303", senml('[{"n":"/3303/7/5750","vs":"a"},{"n":"/3303/8/5750","vs":"b"}]')),
    /^2\.01/,
  );
  assert.match(
    await world.server.ask(Method.post, "/3303", senml('[{"n":"/3303/9/5750","vs":"a"},{"n":"/3303/8/5750","vs":"b"}]')),
    /^4\.00/,
  );
  assert.equal((await responseTo(world, Method.get, "/3303/8", { accept: ContentFormat.tlv })).code, 0x45);
  assert.match(await world.server.ask(Method.get, "/3303/9"), /^4\.04/, "nothing of a refused request");
  const text = { contentFormat: ContentFormat.text, payload: new TextEncoder().encode("a") };
  assert.match(await world.server.ask(Method.post, "/3303", text), /^4\.00/, "one value without a place");
  await world.close();
});

test("LightweightM2M-1.1-int-1630: Create takes the instance id from the payload, and answers with the place", async () => {
  const world = openWorld();
  await world.open();
  // Object instance 5 with resource 5700 = 1.5, which only the device sets.
  const created = await responseTo(world, Method.post, "/3303", tlv(bytes("08 05 07 E4 16 44 3F C0 00 00")));
  assert.deepEqual([created.code, created.locationPath], [0x41, ["3303", "5"]]);
  const numbered = await responseTo(world, Method.post, "/3303", tlv(bytes("E4 16 44 3F C0 00 00")));
  assert.deepEqual([numbered.code, numbered.locationPath], [0x41, ["3303", "1"]]);
  assert.equal((await responseTo(world, Method.post, "/3303", tlv(bytes("08 05 00")))).code, 0x80);
  await world.close();
});

test("LwM2M Core 1.1 §6.3: a payload cut at any byte is written whole or refused with 4.00, never half", async () => {
  const world = openWorld();
  await world.open();
  const untouched = await readHex(world, "/1/0", ContentFormat.tlv);
  for (let length = 1; length < case215.length; length += 1) {
    const { code } = await responseTo(world, Method.post, "/1/0", tlv(case215.subarray(0, length)));
    const atBoundary = [3, 7, 11, 14].includes(length);
    assert.equal(code, atBoundary ? 0x44 : 0x80, `${length} bytes`);
    if (atBoundary) await responseTo(world, Method.put, "/1/0", tlv(bytes("C2 01 01 2C C1 02 00 C4 05 00 01 51 80 C1 06 01 C1 07 55")));
    assert.equal(await readHex(world, "/1/0", ContentFormat.tlv), untouched, `${length} bytes`);
  }
  await world.close();
});

test("LwM2M Core 1.1 §6.3: random bytes in every format and at every level get an answer of class 2 or 4", async () => {
  const seed = 11;
  const world = openWorld(seed);
  await world.open();
  const random = seededRandom(seed);
  const formats = [undefined, ...Object.values(ContentFormat), 9_999];
  const paths = ["/1/0", "/1/0/1", "/3/0/14", "/3303", "/5/0/0", "/5/0/1", "/3/0/13", "/1/0/8", "/0/0", "/3/0/11/0"];
  for (let round = 0; round < 400; round += 1) {
    const format = formats[round % formats.length];
    const path = paths[Math.floor(random.fraction() * paths.length)] ?? "";
    const method = random.fraction() < 0.5 ? Method.put : Method.post;
    const payload = random.bytes(1 + Math.floor(random.fraction() * 24));
    const { code } = await responseTo(world, method, path, { payload, ...(format === undefined ? {} : { contentFormat: format }) });
    assert.ok(isSuccess(code) || code >> 5 === 4, `seed ${seed}, round ${round}: ${code.toString(16)} to ${path}`);
    await world.clock.advance(20_000);
  }
  await world.close();
});
