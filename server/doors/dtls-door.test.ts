/** The secured door and credentials that go: while connected, between two connections, in the middle of a handshake. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import { DtlsWorld, serverAt } from "@lwm2m/protocol/dtls/testing/dtls-world";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { DeviceCredentials } from "../security/device-credentials.ts";
import { MemoryCredentials } from "../testing/memory-credentials.ts";
import { quiet, usualSettings } from "../testing/plain-parts.ts";
import { openDtlsDoor } from "./dtls-door.ts";
import { RecentRemovals } from "./recent-removals.ts";

async function aDoor(credentials: DeviceCredentials) {
  const world = new DtlsWorld();
  const { clock, network } = world;
  const infos: string[] = [];
  const { dtls } = await openDtlsDoor({
    ...{ door: "coaps", realm: "server", socket: network.socket(serverAt), clock, random: seededRandom(5), credentials },
    settings: usualSettings(),
    log: { ...quiet, info: (message) => infos.push(message) },
  });
  return {
    world,
    dtls,
    infos,
    async end(): Promise<void> {
      await clock.until(dtls.close());
      await world.end();
    },
  };
}

function clientOf(identity: string, key: Uint8Array): ClientCredentials {
  return { psk: { identity: Buffer.from(identity), key } };
}

test("a credential that was removed resumes no session; that of another device does", async () => {
  const credentials = new MemoryCredentials();
  const door = await aDoor(credentials);
  const { world, dtls } = door;
  const devices: (() => Promise<void>)[] = [];
  for (const name of ["one", "two"]) {
    const client = await world.client({}, { address: "10.0.0.2", port: name.length + devices.length });
    const as = clientOf(name, credentials.add(name, `dev-${name}`));
    devices.push(async () => {
      await world.clock.until(client.endpoint.connect(serverAt, as));
      // The server hears the last word of a resumption.
      await world.clock.advance(100);
    });
  }
  const [one, two] = devices;
  assert.ok(one !== undefined && two !== undefined);
  for (const connect of [one, one, two, two]) await connect();
  assert.equal(dtls.counters["resumed"], 2);
  credentials.remove("one");
  await two();
  assert.equal(dtls.counters["resumed"], 3);
  const before = dtls.counters["connected"];
  await assert.rejects(one());
  assert.equal(dtls.counters["connected"], before);
  await door.end();
});

test("a credential removed in the middle of a handshake: who was let in before it is dropped once it is connected, and does not resume", async () => {
  const credentials = new MemoryCredentials();
  let found: () => void = () => {};
  const findPsk = (identity: Uint8Array): Promise<Uint8Array | undefined> => {
    const key = credentials.psks.get(Buffer.from(identity).toString())?.key;
    return new Promise((resolve) => {
      found = () => resolve(key);
    });
  };
  const slow: DeviceCredentials = {
    serverCredentials: () => ({ realmOf: () => ({ findPsk }) }),
    endpointFor: (realm, identity) => credentials.endpointFor(realm, identity),
    isSecured: (realm, endpoint) => credentials.isSecured(realm, endpoint),
    onRemoved: (listener) => credentials.onRemoved(listener),
  };
  const door = await aDoor(slow);
  const { world, dtls, infos } = door;
  const client = await world.client();
  const as = clientOf("one", credentials.add("one", "dev-1"));
  const connecting = client.endpoint.connect(serverAt, as);
  await world.clock.advance(200);
  credentials.remove("one");
  found();
  await world.clock.until(connecting);
  await world.clock.advance(200);
  assert.deepEqual(client.kinds, ["connected", "closed"]);
  assert.deepEqual([dtls.counters["connected"], dtls.counters["credentialRemoved"]], [1, 1]);
  assert.ok(infos.some((line) => line.includes("during its handshake")));
  // With a key of its own again it comes in, by a handshake of its own, and stays.
  credentials.add("one", "dev-1");
  const again = client.endpoint.connect(serverAt, as);
  await world.clock.advance(200);
  found();
  await world.clock.until(again);
  await world.clock.advance(200);
  assert.deepEqual([dtls.counters["connected"], dtls.counters["resumed"], client.kinds.at(-1)], [2, 0, "connected"]);
  await door.end();
});

test("removals are kept for as long as a handshake may take, and looked at for those that began before them", () => {
  let now = 1_000;
  const removals = new RecentRemovals({ now: () => now, after: () => assert.fail("no timer is needed") }, 100);
  const identity = (name: string) => ({ kind: "psk", identity: Buffer.from(name) }) as const;
  const is = (name: string) => (seen: { readonly kind: string; readonly identity?: Uint8Array }) => String(seen.identity) === name;
  removals.note(is("one"));
  now = 1_050;
  removals.note(is("two"));
  assert.deepEqual(
    [999, 1_000, 1_001, 1_051].map((beganAt) => [removals.concern(identity("one"), beganAt), removals.concern(identity("two"), beganAt)]),
    [
      [true, true],
      [true, true],
      [false, true],
      [false, false],
    ],
  );
  now = 1_120;
  removals.note(is("three"));
  assert.equal(removals.size, 2);
  now = 2_000;
  removals.note(is("four"));
  assert.equal(removals.size, 1);
});
