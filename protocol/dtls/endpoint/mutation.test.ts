import assert from "node:assert/strict";
import { test } from "node:test";
import { type SeededRandom, seededRandom } from "../../testing/seeded-random.ts";
import { clientAt, DtlsWorld, pskOf, pskServer, serverAt } from "../testing/dtls-world.ts";

const rounds = 40;

/** A few bytes or bits changed, more often near the front where the headers are; sometimes cut, sometimes filled to its end. */
function mutated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const changed = bytes.slice();
  for (let left = 1 + random.integer(4); left > 0; left--) {
    const near = random.integer(Math.min(30, changed.length));
    const far = random.integer(changed.length);
    const change = random.pick([
      () => changed.fill(random.integer(256), far),
      () => changed.fill(random.integer(256), near, near + 1),
      () => changed.fill(random.integer(256), far, far + 1),
      () => changed.fill((changed[near] ?? 0) ^ (1 << random.integer(8)), near, near + 1),
    ]);
    change();
  }
  return random.fraction() < 0.2 ? changed.subarray(0, random.integer(changed.length + 1)) : changed;
}

test("RFC 6347 §4.1.2.7: mutations of every datagram, sent from where the original comes from, both ways: nothing false is heard, no invariant breaks, nothing stays", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const world = new DtlsWorld(seed);
    const random = seededRandom(seed);
    const parts = seed % 2 === 0 ? {} : { settings: { connectionIdBytes: undefined } };
    const sockets = { server: world.network.socket(serverAt), client: world.network.socket(clientAt) };
    const look = seed % 3 === 0 ? <T>(found: T) => Promise.resolve(found) : <T>(found: T) => found;
    const server = await world.server({ ...parts, socket: sockets.server, server: { credentials: pskServer(look) } });
    const client = await world.client({ ...parts, socket: sockets.client });
    let mutating = false;
    let share = 1;
    world.network.filter = ({ from, to, bytes }) => {
      if (mutating || random.fraction() >= share) return true;
      mutating = true;
      const socket = from.port === serverAt.port ? sockets.server : sockets.client;
      for (let copies = 0; copies < 3; copies++) socket.send(mutated(bytes, random), to);
      mutating = false;
      return true;
    };
    for (let round = 0; round < rounds; round++) {
      share = round % 4 === 0 ? 1 : 0.1;
      const to = await world.clock.until(client.endpoint.connect(serverAt, pskOf(`dev${round % 3}`)).catch(() => undefined));
      if (to !== undefined) client.say(to, `data ${round}`);
      await world.clock.advance(500);
    }
    world.network.filter = () => true;
    const to = await world.connect(client);
    client.say(to, "data at last");
    await world.clock.advance(100);
    assert.ok(server.texts.length > rounds / 4, `seed ${seed}: ${server.texts.length} heard`);
    for (const text of server.texts) assert.match(text, /^data (\d+|at last)$/, `seed ${seed}`);
    assert.equal(server.texts.at(-1), "data at last");
    await world.clock.advance(3_600_000);
    await world.end();
  }
});
