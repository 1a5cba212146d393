import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentType } from "../constants.ts";
import type { TortureClient } from "./torture-client.ts";
import { TortureWorld } from "./torture-world.ts";

const anId = Uint8Array.of(1, 2, 3);

/** What the client says at each stage, with everything before it said. */
const stages: readonly { readonly name: string; readonly next: (client: TortureClient) => Uint8Array }[] = [
  { name: "first hello", next: (client) => client.handshake(client.hello()) },
  {
    name: "second hello",
    next(client) {
      client.send(client.handshake(client.hello()));
      return client.handshake(client.hello());
    },
  },
  {
    name: "ClientKeyExchange",
    next(client) {
      client.knock();
      return client.handshake(client.keyExchange());
    },
  },
  {
    name: "ChangeCipherSpec",
    next(client) {
      client.knock();
      client.send(client.handshake(client.keyExchange()));
      return client.changeCipherSpec();
    },
  },
  {
    name: "Finished",
    next(client) {
      client.knock();
      client.send(client.handshake(client.keyExchange()));
      client.send(client.changeCipherSpec());
      return client.sealed(ContentType.handshake, client.finished());
    },
  },
  {
    name: "data",
    next(client) {
      client.connect();
      return client.data("data");
    },
  },
];

for (const { name, next } of stages) {
  test(`RFC 6347 §4.1.2.7: ${name}, cut at every byte: nothing is thrown, connected or heard by it`, async () => {
    const world = await TortureWorld.open();
    const whole = next(world.client({ connectionId: anId })).length;
    for (let length = 0; length < whole; length++) {
      const client = world.client({ connectionId: anId, name: `dev${length}` });
      const bytes = next(client);
      const before = [world.count("connected"), world.texts.length];
      client.send(bytes.subarray(0, Math.min(length, bytes.length - 1)));
      assert.deepEqual([world.count("connected"), world.texts.length], before, `${length} bytes`);
    }
    await world.end();
  });

  test(`RFC 6347 §4.1.2.7: ${name}, every byte as 0, 1, 127, 128, 255, one more and one less: at most the true message is taken`, async () => {
    const world = await TortureWorld.open({ limits: { handshakesPerAddress: 10_000, handshakesPerPrefix: 10_000, handshakes: 10_000 } });
    const whole = next(world.client({ connectionId: anId })).length;
    for (let at = 0; at < whole; at++) {
      for (const change of [() => 0, () => 1, () => 127, () => 128, () => 255, (byte: number) => byte + 1, (byte: number) => byte - 1]) {
        const client = world.client({ connectionId: anId, name: "dev1" });
        const bytes = Uint8Array.from(next(client));
        const before = bytes[at] ?? 0;
        bytes[at] = change(before);
        const connected = world.count("connected");
        const heard = world.texts.length;
        client.send(bytes);
        client.send(Buffer.concat([bytes, bytes]));
        const isTrue = bytes[at] === before;
        // What the record says of itself in the clear and no MAC covers: epoch 0 has none.
        if (!isTrue && name === "data") assert.equal(world.texts.length, heard, `byte ${at}`);
        if (!isTrue && name === "Finished") assert.equal(world.count("connected"), connected, `byte ${at}`);
      }
      await world.clock.advance(1_000);
    }
    await world.end();
  });
}
