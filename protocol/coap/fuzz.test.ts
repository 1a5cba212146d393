import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { Method, ResponseCode } from "./codes.ts";

/** Requests, responses, blocks, notifications: what the mutations start from. */
const seeds = [
  "4802000101020304050607 08b2726411283765703d6e6f6465",
  "4801000201020304050607 0860b161",
  "48030003010203040506070851 61d1030aff",
  "584500040102030405060708 6105c10eff6161",
  "48450005010203040506070841aa2107d10408ff61616161616161616161616161616161",
  "6845000601020304050607 08ff61",
  "60000007",
  "70000008",
  "40000009",
].map((hex) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex")));

test("30,000 mutated datagrams through an endpoint: nothing is thrown, every handler's request is well formed, a neighbour is served throughout", async () => {
  const world = openWorld(3);
  const random = seededRandom(30);
  const endpoint = world.endpoint();
  const neighbour = world.endpoint({ address: "10.0.0.7", port: 7 });
  const attacker = world.network.socket(deviceAddress);
  endpoint.handle((request) => {
    assert.ok(request.path.every((segment) => typeof segment === "string"));
    return { code: ResponseCode.content, payload: new Uint8Array(request.path.length * 700) };
  });
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 100; i++) {
      const bytes = Uint8Array.from(random.pick(seeds));
      for (let flips = 1 + random.integer(4); flips > 0; flips--) bytes[random.integer(bytes.length)] = random.integer(256);
      attacker.send(bytes.subarray(0, random.fraction() < 0.2 ? random.integer(bytes.length + 1) : bytes.length), serverAddress);
    }
    const served = await world.clock.until(neighbour.request(neighbour.peerAt(serverAddress), { method: Method.get, path: ["a"] }));
    assert.ok(served.ok && served.facts.datagramsSent === 1, `round ${round}`);
    world.network.traffic.length = 0;
  }
  await attacker.close();
  await world.end();
});
