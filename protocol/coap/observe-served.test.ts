/** Relations that the endpoint grants to others, and both sides at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { ResponseCode } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { ServedObservation } from "./message.ts";
import type { ObservationListener } from "./observation.ts";
import { get } from "./observe-fixture.ts";

/** An endpoint that grants every Observe 0; the relations in order. */
function serve(endpoint: CoapEndpoint): { relations: ServedObservation[]; ended: number[] } {
  const relations: ServedObservation[] = [];
  const ended: number[] = [];
  endpoint.handle(() => ({
    code: ResponseCode.content,
    payload: Uint8Array.of(0x30),
    acceptObserve: (relation) => {
      const place = relations.push(relation) - 1;
      relation.onEnd(() => ended.push(place));
    },
  }));
  return { relations, ended };
}

const content = (text: string) => ({ code: ResponseCode.content, payload: Buffer.from(text) });

test("RFC 7641 §4.1, §4.4: relations are numbered each by itself; the same token registers again, Observe 1 ends it", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  assert.deepEqual(await peer.ask("41010001aa605161"), ["61450001aa6101ff30"]);
  assert.deepEqual(await peer.ask("41010002bb605161"), ["61450002bb6101ff30"]);
  void relations[0]?.notify(content("1"), false);
  void relations[0]?.notify(content("2"), false);
  void relations[1]?.notify(content("3"), false);
  const bodies = (await peer.listen()).map((hex) => tokenOf(hex) + hex.slice(10));
  assert.deepEqual(bodies.sort(), ["aa6102ff31", "aa6103ff32", "bb6102ff33"]);
  assert.deepEqual(await peer.ask("41010003aa605161"), ["61450003aa6104ff30"]);
  assert.deepEqual(ended, [0]);
  assert.deepEqual(await relations[0]?.notify(content("x"), false), { ok: false, reason: "closed" });
  assert.deepEqual(await peer.ask("41010004aa61015161"), ["61450004aaff30"]);
  assert.deepEqual(ended, [0, 2]);
  await world.end();
  assert.deepEqual(ended, [0, 2, 1]);
});

test("RFC 7641 §3.6, §4.5: RST ends a relation, for CON and for NON; without an acknowledgement it ends as given up", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  for (const id of ["01", "02", "03", "04"]) await peer.ask(`410100${id}${id}605161`);
  const rejected = watch(relations[0]?.notify(content("1"), true) ?? Promise.reject());
  const [confirmable = ""] = await peer.listen();
  await peer.ask(`7000${messageIdOf(confirmable)}`);
  assert.deepEqual(rejected(), { ok: false, reason: "reset" });
  void relations[1]?.notify(content("2"), false);
  const [plain = ""] = await peer.listen();
  await peer.ask(`7000${messageIdOf(plain)}`);
  assert.deepEqual(ended, [0, 1]);
  const taken = watch(relations[2]?.notify(content("3"), true) ?? Promise.reject());
  const [third = ""] = await peer.listen();
  await peer.ask(`6000${messageIdOf(third)}`);
  assert.deepEqual(taken(), { ok: true });
  const lost = watch(relations[3]?.notify(content("4"), true) ?? Promise.reject());
  await world.clock.advance(100_000);
  assert.deepEqual(lost(), { ok: false, reason: "timeout" });
  assert.deepEqual(ended, [0, 1, 3]);
  await world.end();
});

test("RFC 7641 §4.2: an error notification carries no Observe and ends the relation", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const { relations, ended } = serve(endpoint);
  await peer.ask("41010001aa605161");
  void relations[0]?.notify({ code: ResponseCode.notFound }, false);
  const [last = ""] = await peer.listen();
  assert.match(last, /^5184....aa$/);
  assert.deepEqual(ended, [0]);
  await world.end();
});

test("RFC 7641 and RFC 7959: notifications of 3 kB between two endpoints under loss arrive whole and in order, by seed", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const world = openWorld(seed, { delayMs: 30, loss: 0.1, duplication: 0.1, reordering: 0.1 });
    const server = world.endpoint();
    const device = world.endpoint(deviceAddress);
    let value = 0;
    const body = (): Uint8Array => new Uint8Array(3_000).fill(value);
    let relation: ServedObservation | undefined;
    device.handle(() => ({
      code: ResponseCode.content,
      payload: body(),
      acceptObserve: (granted) => {
        relation = granted;
      },
    }));
    const seen: number[] = [];
    const listener: ObservationListener = {
      onNotification: (response) => {
        assert.equal(new Set(response.payload).size, 1, "no mixture of two states");
        assert.equal(response.payload.length, 3_000);
        seen.push(response.payload[0] ?? -1);
      },
      onEnd: () => {},
    };
    const outcome = await world.clock.until(server.observe(server.peerAt(deviceAddress), get, listener));
    assert.ok(outcome.ok && outcome.observing, `seed ${seed}`);
    for (value = 1; value <= 5; value++) {
      const sent = await world.clock.until(relation?.notify({ code: ResponseCode.content, payload: body() }, true) ?? Promise.reject());
      assert.deepEqual(sent, { ok: true }, `seed ${seed}`);
    }
    await world.clock.advance(1_000);
    assert.deepEqual(seen, [1, 2, 3, 4, 5], `seed ${seed}`);
    await world.end();
  }
});
