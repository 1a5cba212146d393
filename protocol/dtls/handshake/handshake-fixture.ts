/** Two machines that meet: both sides end well, or neither does; and what they bring along. */
import assert from "node:assert/strict";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ProtocolVersion } from "../constants.ts";
import type { ClientHello } from "../messages.ts";
import { type Parties, provenParties, pskParties } from "../testing/handshake-parties.ts";
import { HandshakeWorld, type WorldWish } from "../testing/handshake-world.ts";

export async function connect(wish: WorldWish): Promise<HandshakeWorld> {
  const world = await new HandshakeWorld(wish).run();
  assert.deepEqual(world.faults(), [], world.client.reason ?? world.server.reason);
  assert.deepEqual([world.client.isDone, world.server.isDone, world.clock.pendingTimers()], [true, true, 0]);
  return world;
}

export async function fail(wish: WorldWish): Promise<HandshakeWorld> {
  const world = await new HandshakeWorld(wish).run();
  assert.deepEqual([world.client.facts, world.server.facts, world.clock.pendingTimers()], [undefined, undefined, 0]);
  return world;
}

export function partiesFor(keyExchange: string): Parties {
  if (keyExchange === "psk" || keyExchange === "ecdhe_psk") return pskParties();
  return provenParties("x509", keyExchange === "ecdhe_rsa" ? "rsa" : "p256");
}

export function only(...cipherSuites: number[]): Pick<WorldWish, "clientSettings" | "serverSettings"> {
  return { clientSettings: { cipherSuites }, serverSettings: { cipherSuites } };
}

export const ecdsaSuite = 0xc0ae;
export const pskSuite = 0xc0a8;

const random = seededRandom(1);

/** A first hello that a server takes, behind the cookie. */
export const goodHello: ClientHello = {
  version: ProtocolVersion.dtls12,
  random: random.bytes(32),
  sessionId: new Uint8Array(0),
  cookie: random.bytes(16),
  cipherSuites: [0xc0a8],
  compressionMethods: [0],
  extensions: { extendedMasterSecret: true },
};
