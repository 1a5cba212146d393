/** What is said, kept and written once a handshake is over. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription, ContentType, HandshakeType } from "../constants.ts";
import type { ResumableSession } from "../credentials-contract.ts";
import { defaultHandshakeSettings } from "../handshake-contract.ts";
import { pskKey, pskParties } from "../testing/handshake-parties.ts";
import { HandshakeWorld } from "../testing/handshake-world.ts";
import { encodeClientHello } from "../wire/handshake-codec.ts";
import { encodeHandshakeMessage } from "../wire/handshake-header.ts";
import { ClientHandshake } from "./client-handshake.ts";
import { goodHello } from "./handshake-fixture.ts";
import { ServerHandshake } from "./server-handshake.ts";

async function connectedWorld(): Promise<HandshakeWorld> {
  const world = new HandshakeWorld(pskParties());
  world.start();
  await world.clock.advance(1_000);
  assert.deepEqual(world.faults(), []);
  return world;
}

test("RFC 6347 §4.1.2.7: a plain alert cannot touch what is established, a protected one ends the lingering", async () => {
  const world = await connectedWorld();
  world.step("server", { kind: "record", type: ContentType.alert, epoch: 0, fragment: Uint8Array.of(2, 40) });
  assert.equal(world.server.isDone, false);
  world.step("server", { kind: "record", type: ContentType.alert, epoch: 1, fragment: Uint8Array.of(1, 0) });
  assert.deepEqual([world.server.isDone, world.server.failure], [true, undefined]);
});

test("RFC 5746 §4.2: renegotiation is answered by a no_renegotiation warning under the keys, a plain attempt by nothing", async () => {
  const world = await connectedWorld();
  const again = encodeHandshakeMessage(HandshakeType.clientHello, 0, encodeClientHello(goodHello));
  world.step("server", { kind: "record", type: ContentType.handshake, epoch: 0, fragment: again });
  assert.deepEqual(world.server.alerts, []);
  world.step("server", { kind: "record", type: ContentType.handshake, epoch: 1, fragment: again });
  assert.deepEqual([world.server.alerts, world.sent.at(-1)?.records.map(({ epoch }) => epoch)], [[AlertDescription.noRenegotiation], [1]]);
  assert.equal(world.server.isDone, false);
});

test("secrets are overwritten when it is over", async () => {
  const kept: ResumableSession[] = [];
  const world = await new HandshakeWorld({
    ...pskParties(),
    sessions: { find: () => undefined, keep: (each) => kept.push(each), forget: () => undefined, forgetOf: () => undefined },
  }).run();
  assert.deepEqual(world.faults(), []);
  // The copy for the cache is its own.
  assert.ok(kept[0]?.masterSecret.some((byte) => byte !== 0));
  assert.deepEqual([world.client.machine?.heldBytes, world.server.machine?.heldBytes], [0, 0]);
});

test("a key log is written only where it was asked for, the same line by both sides", () => {
  const lines: string[] = [];
  const logKey = (line: string) => lines.push(line);
  const settings = defaultHandshakeSettings;
  const client = new ClientHandshake({ settings, credentials: pskParties().credentials, random: seededRandom(1), logKey });
  const hello = client.start(0).flatMap((effect) => (effect.kind === "send" ? effect.records : []))[0];
  assert.ok(hello);
  const credentials = { realmOf: () => pskParties().realm };
  const server = new ServerHandshake({ settings, credentials, random: seededRandom(2), verifiedHello: hello.fragment, logKey });
  const toClient = server.start(0).flatMap((effect) => (effect.kind === "send" ? effect.records : []));
  const toServer = toClient
    .flatMap((each) => client.step({ kind: "record", ...each }, 0))
    .flatMap((effect) => (effect.kind === "send" ? effect.records : []));
  for (const each of toServer.filter(({ epoch }) => epoch === 0)) server.step({ kind: "record", ...each }, 0);
  server.step({ kind: "answer", ask: 1, answer: { kind: "psk", key: pskKey } }, 0);
  assert.match(lines[0] ?? "", /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/);
  assert.deepEqual(lines, [lines[0], lines[0]]);
});
