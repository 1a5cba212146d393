import assert from "node:assert/strict";
import { test } from "node:test";
import { AlertDescription, AlertLevel, ContentType, HandshakeType } from "../constants.ts";
import type { TortureClient } from "./torture-client.ts";
import { TortureWorld } from "./torture-world.ts";

const anId = Uint8Array.of(1, 2, 3);
const noId = new Uint8Array(0);

/** Where a handshake stands when it is attacked. */
const states: readonly { readonly name: string; readonly reach: (client: TortureClient) => void }[] = [
  { name: "nothing said", reach: () => undefined },
  { name: "asked for the cookie", reach: (client) => client.send(client.handshake(client.hello())) },
  { name: "answered by the first flight", reach: (client) => client.knock() },
  {
    name: "keys agreed",
    reach(client) {
      client.knock();
      client.send(client.handshake(client.keyExchange()));
    },
  },
  {
    name: "ChangeCipherSpec said",
    reach(client) {
      client.knock();
      client.send(client.handshake(client.keyExchange()));
      client.send(client.changeCipherSpec());
    },
  },
];

/** The rest of the way from any of the states. */
function goOn(client: TortureClient, from: number): void {
  if (from === 0) client.send(client.handshake(client.hello()));
  if (from <= 1) client.send(client.handshake(client.hello()));
  if (from <= 2) client.send(client.handshake(client.keyExchange()));
  if (from <= 3) client.send(client.changeCipherSpec());
  client.send(client.sealed(ContentType.handshake, client.finished()));
}

for (const [place, { name, reach }] of states.entries()) {
  test(`RFC 6347 §4.1: application data before Finished, ${name}: heard by nobody, the handshake goes on`, async () => {
    const world = await TortureWorld.open();
    const client = world.client({ connectionId: anId });
    reach(client);
    client.send(client.record(ContentType.applicationData, Buffer.from("plain")));
    client.send(client.record(ContentType.applicationData, Buffer.from("plain of epoch 1"), { epoch: 1, sequence: 9 }));
    if (place > 2) client.send(client.data("under the keys"));
    else {
      const other = world.client({ at: { address: "10.9.9.9", port: 9 } });
      other.deriveFromNothing();
      client.send(other.sealed(ContentType.applicationData, Buffer.from("under no key"), { sequence: 10 }, noId));
    }
    assert.deepEqual(world.texts, []);
    goOn(client, place);
    client.send(client.data("now"));
    assert.deepEqual(world.texts, ["now"]);
    await world.end();
  });

  test(`RFC 5246 §7.2.2: a forged plain alert of each kind, ${name}: ends at most what is not proved yet and holds nothing back`, async () => {
    for (const [level, description] of [
      [AlertLevel.fatal, AlertDescription.handshakeFailure],
      [AlertLevel.warning, AlertDescription.closeNotify],
      [AlertLevel.warning, AlertDescription.userCanceled],
      [3, 255],
    ] as const) {
      const world = await TortureWorld.open();
      const client = world.client({ connectionId: anId });
      reach(client);
      const before = client.datagrams.length;
      client.send(client.record(ContentType.alert, client.alert(level, description)));
      client.send(client.record(ContentType.alert, client.alert(level, description), { epoch: 1, sequence: 77 }));
      client.send(client.record(ContentType.alert, Uint8Array.of(level)));
      client.send(client.record(ContentType.alert, new Uint8Array(0)));
      assert.equal(client.datagrams.length, before, "an alert is never answered");
      const ends = (level === AlertLevel.fatal || description === AlertDescription.closeNotify) && (place === 2 || place === 3);
      goOn(client, place);
      assert.equal(world.count("connected"), ends ? 0 : 1, `alert ${level} ${description}`);
      await world.end();
    }
  });

  test(`RFC 5246 §7.1: ChangeCipherSpec ${name}, twice, of wrong form and of epoch 1: keys change by Finished alone`, async () => {
    const world = await TortureWorld.open();
    const client = world.client({ connectionId: anId });
    reach(client);
    for (const fragment of [Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(1, 1), new Uint8Array(0)]) {
      client.send(client.record(ContentType.changeCipherSpec, fragment));
      client.send(client.record(ContentType.changeCipherSpec, fragment, { epoch: 1, sequence: 5 }));
    }
    assert.equal(world.count("connected"), 0);
    goOn(client, place);
    client.send(client.data("now"));
    assert.deepEqual(world.texts, ["now"]);
    await world.end();
  });

  test(`RFC 6347 §4.1: Finished early and in the clear, ${name}: never connected by it`, async () => {
    for (const form of ["plain", "epoch 1 in the clear", "keys of nothing"] as const) {
      const world = await TortureWorld.open();
      const client = world.client({ connectionId: anId });
      reach(client);
      if (place <= 2) client.deriveFromNothing();
      const finished = client.finished();
      if (form === "plain") client.send(client.record(ContentType.handshake, finished));
      if (form === "epoch 1 in the clear") client.send(client.record(ContentType.handshake, finished, { epoch: 1 }));
      if (form === "keys of nothing") {
        client.deriveFromNothing();
        client.send(client.changeCipherSpec());
        client.send(client.sealed(ContentType.handshake, finished));
        client.send(client.sealed(ContentType.handshake, finished, {}, noId));
        client.send(client.data("mine"));
      }
      assert.equal(world.count("connected"), 0, form);
      assert.deepEqual(world.texts, []);
      await world.end();
    }
  });
}

test("RFC 5246 §7.1: without ChangeCipherSpec a right Finished waits, and counts once it is there", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.knock();
  client.send(client.handshake(client.keyExchange()));
  client.send(client.sealed(ContentType.handshake, client.finished()));
  client.send(client.data("early"));
  assert.equal(world.count("connected"), 0);
  client.send(client.changeCipherSpec());
  assert.equal(world.count("connected"), 1);
  assert.deepEqual(world.texts, []);
  await world.end();
});

test("RFC 6347 §4.2.4: the client's flight in every order of its three records and in one datagram", async () => {
  const orders = ["012", "021", "102", "120", "201", "210"];
  for (const order of orders) {
    for (const together of [false, true]) {
      const world = await TortureWorld.open();
      const client = world.client({ connectionId: anId });
      client.knock();
      const flight = [
        client.handshake(client.keyExchange()),
        client.changeCipherSpec(),
        client.sealed(ContentType.handshake, client.finished()),
      ];
      const ordered = [...order].map((digit) => flight[Number(digit)] ?? new Uint8Array(0));
      if (together) client.send(Buffer.concat(ordered));
      else for (const record of ordered) client.send(record);
      assert.equal(world.count("connected"), 1, `${order} ${together}`);
      await world.end();
    }
  }
});

test("RFC 5746 §4.2: renegotiation under the keys is refused by a warning, a HelloRequest by nothing; the association stays", async () => {
  const world = await TortureWorld.open();
  const client = world.client({ connectionId: anId });
  client.connect();
  client.send(client.data("one"));
  const before = client.datagrams.length;
  client.send(client.sealed(ContentType.handshake, client.hello()));
  const refusal = client.heard(before).map(({ type, content }) => [type, [...(content ?? [])]]);
  assert.deepEqual(refusal, [[ContentType.alert, [AlertLevel.warning, AlertDescription.noRenegotiation]]]);
  client.send(client.sealed(ContentType.handshake, client.message(HandshakeType.helloRequest, new Uint8Array(0))));
  client.send(client.sealed(ContentType.changeCipherSpec, Uint8Array.of(1)));
  client.send(client.sealed(ContentType.handshake, new Uint8Array(0)));
  client.send(client.sealed(99, Uint8Array.of(1)));
  client.send(client.data("two"));
  assert.deepEqual(world.texts, ["one", "two"]);
  assert.deepEqual(world.kinds, ["connected"]);
  await world.end();
});

test("RFC 6347 §4.2.8: hellos from the address of an association: it stays until the new Finished is proved", async () => {
  const world = await TortureWorld.open();
  const old = world.client();
  old.connect();
  old.send(old.data("old"));
  const impostor = world.client({ at: old.at, key: Buffer.from("a key nobody gave out") });
  impostor.connect();
  impostor.send(impostor.data("impostor"));
  old.send(old.data("still here"));
  const reborn = world.client({ at: old.at });
  reborn.knock();
  old.send(old.data("and here"));
  reborn.send(reborn.handshake(reborn.keyExchange()));
  reborn.send(reborn.changeCipherSpec());
  old.send(old.data("until now"));
  reborn.send(reborn.sealed(ContentType.handshake, reborn.finished()));
  old.send(old.data("not any more"));
  reborn.send(reborn.data("new"));
  assert.deepEqual(world.texts, ["old", "still here", "and here", "until now", "new"]);
  assert.equal(world.count("replaced"), 1);
  await world.end();
});
