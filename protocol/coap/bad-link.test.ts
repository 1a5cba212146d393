/**
 * Block-wise transfers and Observe over a link that loses, doubles and reorders by seed, while bodies change and addresses too.
 * What must hold: a body arrives as one side had it, or the transfer fails and says so; the last state observed is the last state.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress, type World } from "../testing/coap-world.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { NotifyOutcome, OutgoingRequest, RequestOutcome, ServedObservation } from "./message.ts";
import { defaultParameters } from "./parameters.ts";

const seeds = Array.from({ length: 16 }, (_, i) => i + 1);
const movedAddress = { address: "198.51.100.7", port: 4_711 };
const badLink = { delayMs: 40, loss: 0.12, duplication: 0.12, reordering: 0.2 };
const longestBodyBytes = 9_000;
const blockSizes = [32, 64, 256, 512, 1_024];
/** 3,000 bytes in 32-byte blocks take longer over this link than a confirmable notification waits for its ACK. */
const notificationBlockSizes = [512, 1_024];
const mostGivenUp = 2;
/** Within the time most transfers take. */
const latestChangeMs = 6_000;
const path = ["body"];

interface Scene {
  readonly world: World;
  readonly random: SeededRandom;
  readonly server: CoapEndpoint;
  readonly device: CoapEndpoint;
}

async function onBadLink(seed: number, run: (scene: Scene) => Promise<void>, sizes = blockSizes): Promise<void> {
  const world = openWorld(seed, badLink);
  const random = seededRandom(seed * 7 + 1);
  const settings = { parameters: { ...defaultParameters, blockSizeBytes: random.pick(sizes) } };
  const server = world.endpoint(serverAddress, settings);
  const device = world.endpoint(deviceAddress, settings);
  await run({ world, random, server, device });
  await world.clock.advance(latestChangeMs);
  await world.end();
}

function isBody(payload: Uint8Array, bodies: readonly Uint8Array[]): boolean {
  return bodies.some((body) => Buffer.compare(body, payload) === 0);
}

/** Whole or not at all; a failure has a reason of the contract, or the code of an error. */
function checkOutcome(outcome: RequestOutcome, bodies: readonly Uint8Array[], context: string): "whole" | "failed" {
  if (!outcome.ok) {
    assert.ok(["no-answer", "response-timeout", "invalid-response", "reset"].includes(outcome.reason), `${context}: ${outcome.reason}`);
    return "failed";
  }
  if (outcome.response.code !== ResponseCode.content) {
    assert.ok(outcome.response.code >= ResponseCode.badRequest, `${context}: ${outcome.response.code}`);
    return "failed";
  }
  assert.ok(isBody(outcome.response.payload, bodies), `${context}: a body of ${outcome.response.payload.length} bytes that nobody had`);
  return "whole";
}

function twoBodies(random: SeededRandom): Uint8Array[] {
  return [random.bytes(1 + random.integer(longestBodyBytes)), random.bytes(1 + random.integer(longestBodyBytes))];
}

test("RFC 7959 §2.4: a body that changes under way, in size too, arrives as the one or the other, by seed", async () => {
  const ends: string[] = [];
  for (const seed of seeds) {
    await onBadLink(seed, async ({ world, random, server, device }) => {
      const bodies = twoBodies(random);
      let current = 0;
      server.handle(() => ({ code: ResponseCode.content, payload: bodies[current] ?? new Uint8Array() }));
      world.clock.after(random.integer(latestChangeMs), () => {
        current = 1;
      });
      const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), { method: Method.get, path }));
      ends.push(checkOutcome(outcome, bodies, `seed ${seed}`));
    });
  }
  assert.ok(ends.filter((end) => end === "whole").length >= seeds.length - 2, ends.join());
});

for (const { title, method } of [
  { title: "a download by", method: Method.get },
  { title: "an upload of", method: Method.put },
] as const) {
  test(`RFC 7959 §2.4, §2.5: ${title} a device that gets another address under way: whole, or a failure that is told, by seed`, async () => {
    const ends: string[] = [];
    for (const seed of seeds) {
      await onBadLink(seed, async ({ world, random, server, device }) => {
        const [body = new Uint8Array()] = twoBodies(random);
        const arrived: Uint8Array[] = [];
        server.handle(({ payload, method: asked }) => {
          if (asked === Method.put) arrived.push(payload);
          return { code: ResponseCode.content, payload: asked === Method.put ? new Uint8Array() : body };
        });
        world.clock.after(random.integer(latestChangeMs), () => world.network.rebind(deviceAddress, movedAddress));
        const request: OutgoingRequest = method === Method.put ? { method, path, payload: body } : { method, path };
        const outcome = await world.clock.until(device.request(device.peerAt(serverAddress), request));
        const end = checkOutcome(outcome, method === Method.put ? [new Uint8Array()] : [body], `seed ${seed}`);
        assert.ok(
          arrived.every((payload) => isBody(payload, [body])),
          `seed ${seed}: part of a body was handed on`,
        );
        if (method === Method.put && end === "whole") assert.ok(arrived.length > 0, `seed ${seed}: said to be there, and is not`);
        ends.push(end);
      });
    }
    assert.ok(ends.filter((end) => end === "whole").length >= seeds.length - 2, ends.join());
  });
}

test("RFC 7959 §2.5: an upload to a device that gets another address fails within MAX_TRANSMIT_WAIT, and tells how far it came, by seed", async () => {
  for (const seed of seeds.slice(0, 6)) {
    await onBadLink(seed, async ({ world, random, server, device }) => {
      const body = random.bytes(20_000);
      const arrived: Uint8Array[] = [];
      device.handle(({ payload }) => {
        arrived.push(payload);
        return { code: ResponseCode.changed };
      });
      world.clock.after(300, () => world.network.rebind(deviceAddress, movedAddress));
      const outcome = await world.clock.until(server.request(server.peerAt(deviceAddress), { method: Method.put, path, payload: body }));
      assert.ok(!outcome.ok && outcome.reason === "no-answer", `seed ${seed}`);
      assert.ok((outcome.facts.bodyBytesAcknowledged ?? -1) >= 0 && arrived.length === 0, `seed ${seed}`);
      // It goes on where it was once the new address is known; the device has none of it there and gets it from the start.
      const resumeAtByte = outcome.facts.bodyBytesAcknowledged ?? 0;
      const again = await world.clock.until(
        server.request(server.peerAt(movedAddress), { method: Method.put, path, payload: body }, { resumeAtByte }),
      );
      // Hundreds of blocks: one of them may lose all its copies.
      assert.ok(again.ok ? arrived.length > 0 : again.reason === "no-answer", `seed ${seed}`);
      assert.ok(
        arrived.every((payload) => isBody(payload, [body])),
        `seed ${seed}`,
      );
    });
  }
});

interface Watched {
  readonly seen: Uint8Array[];
  readonly states: readonly Uint8Array[];
  readonly last: NotifyOutcome | undefined;
}

/** Eight states of a resource, told one after the other; in the middle the device may get another address, its relation restored there. */
async function observeStates({ world, random, server, device }: Scene, moves: boolean): Promise<Watched> {
  const states = Array.from({ length: 8 }, (_, i) => new Uint8Array(1 + random.integer(3_000)).fill(i + 1));
  let current = states[0] ?? new Uint8Array();
  let relation: ServedObservation | undefined;
  device.handle(() => ({
    code: ResponseCode.content,
    payload: current,
    acceptObserve: (granted) => {
      relation = granted;
    },
  }));
  const seen: Uint8Array[] = [];
  const listener = { onNotification: ({ payload }: { payload: Uint8Array }) => void seen.push(payload), onEnd: () => {} };
  const outcome = await world.clock.until(server.observe(server.peerAt(deviceAddress), { method: Method.get, path }, listener));
  if (!outcome.ok) return { seen, states, last: { ok: false, reason: "timeout" } };
  assert.ok(outcome.observing && relation !== undefined);
  let last: () => NotifyOutcome | undefined = () => undefined;
  for (const [i, state] of states.entries()) {
    current = state;
    last = watch(relation.notify({ code: ResponseCode.content, payload: state }, true));
    if (moves && i === 4) {
      world.network.rebind(deviceAddress, movedAddress);
      // What an Update from the new address makes the server do.
      server.restoreObservation({ ...outcome.observation.key, peer: server.peerAt(movedAddress) }, listener);
    }
    await world.clock.advance(random.integer(2_000));
  }
  await world.clock.advance(300_000);
  return { seen, states, last: last() };
}

for (const { title, moves } of [
  { title: "stays where it is", moves: false },
  { title: "gets another address, its relation restored there", moves: true },
]) {
  test(`RFC 7641 §1.3, §4.5: a device that ${title}: the last of its states is seen, unless it gave the relation up, by seed`, async () => {
    let givenUp = 0;
    for (const seed of seeds) {
      const observe = async (scene: Scene): Promise<void> => {
        const { seen, states, last } = await observeStates(scene, moves);
        assert.ok(last, `seed ${seed}: a notification without an end`);
        // Acknowledged when it is whole: a fetch that takes long leaves few copies of the notification whose ACK may be lost.
        if (last.ok) assert.ok(isBody(seen.at(-1) ?? new Uint8Array(), states.slice(-1)), `seed ${seed}: the last state seen is another`);
        else givenUp++;
        assert.ok(
          seen.every((payload) => isBody(payload, states)),
          `seed ${seed}: a state that never was`,
        );
      };
      await onBadLink(seed, observe, notificationBlockSizes);
    }
    assert.ok(givenUp <= mostGivenUp, `${givenUp} of ${seeds.length} relations given up`);
  });
}
