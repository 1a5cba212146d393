import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import type { ConnectionKeys } from "../handshake-contract.ts";
import { formatAddress, readAddress } from "./address-words.ts";
import { AssociationTable } from "./association-table.ts";
import { BlockStore } from "./block-store.ts";
import { ConnectionSlab, NumberSlot, RowFlag, rowBytes } from "./connection-slab.ts";
import { decodeFacts, encodeFacts } from "./facts-codec.ts";
import { mix, RowIndex } from "./row-index.ts";

const bytesOf = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

function keysWith(own: Uint8Array | undefined, peer: Uint8Array = bytesOf(2, 9)): ConnectionKeys {
  const nothing = new Uint8Array(0);
  return {
    cipherSuite: 0xc0a8,
    encryptThenMac: false,
    clientMacKey: nothing,
    serverMacKey: nothing,
    clientKey: bytesOf(16, 1),
    serverKey: bytesOf(16, 2),
    clientIv: bytesOf(4, 3),
    serverIv: bytesOf(4, 4),
    connectionIds: own === undefined ? undefined : { own, peer, draft: false },
    largestSendBytes: 16_384,
    largestReceiveBytes: 16_384,
  };
}

function tableOf(mostConnections = 1_000): AssociationTable {
  const settings = { mostConnections, ownIdBytes: 8, ownerId: Uint8Array.of(7, 8), cachedAddresses: 10 };
  return new AssociationTable(settings, seededRandom(5), -1);
}

const psk = (name: string): SecureIdentity => ({ kind: "psk", identity: new TextEncoder().encode(name) });

test("rows: growing keeps what is in them, a freed row is all zero and comes back first", () => {
  const slab = new ConnectionSlab(1_000);
  for (let i = 0; i < 1_000; i++) slab.setNumber(slab.allocate(), NumberSlot.key, -i);
  assert.equal(slab.allocate(), -1);
  for (let row = 0; row < 1_000; row++) assert.equal(slab.number(row, NumberSlot.key), -row);
  slab.free(500);
  assert.deepEqual(slab.view(500, 0, rowBytes), new Uint8Array(rowBytes));
  assert.throws(() => slab.free(500), /not in use/);
  assert.equal(slab.allocate(), 500);
  assert.equal(slab.has(500, RowFlag.live), true);
});

test("index: as a map would, through 20,000 random additions and removals that collide", () => {
  const random = seededRandom(11);
  const hashes = new Map<number, number>();
  const index = new RowIndex((row) => hashes.get(row) ?? 0);
  for (let i = 0; i < 20_000; i++) {
    const row = random.integer(500);
    if (hashes.has(row)) {
      index.remove(row);
      hashes.delete(row);
    } else {
      hashes.set(row, mix(7, random.integer(40)));
      index.add(row);
    }
    assert.equal(index.size, hashes.size);
    const wanted = mix(7, random.integer(40));
    const found: number[] = [];
    for (let slot = index.slotOf(wanted); ; slot = index.after(slot)) {
      const candidate = index.rowAt(slot);
      if (candidate < 0) break;
      if (hashes.get(candidate) === wanted) found.push(candidate);
    }
    const expected = [...hashes].filter(([, hash]) => hash === wanted).map(([each]) => each);
    assert.deepEqual(found.sort(), expected.sort());
  }
});

test("blocks: what was put is got, whatever was removed in between; 0 for what is too long", () => {
  const random = seededRandom(3);
  const store = new BlockStore();
  const kept = new Map<number, Uint8Array>();
  for (let i = 0; i < 5_000; i++) {
    const [first] = kept.keys();
    if (first !== undefined && random.fraction() < 0.4) {
      store.remove(first);
      kept.delete(first);
    }
    const value = random.bytes(random.integer(300));
    const handle = store.put(value);
    assert.equal(kept.has(handle), false);
    kept.set(handle, value);
  }
  for (const [handle, value] of kept) assert.deepEqual(store.get(handle), value);
  assert.equal(store.put(new Uint8Array(70_000)), 0);
  assert.deepEqual(store.get(0), new Uint8Array(0));
});

test("addresses: the text of a socket, there and back (RFC 5952)", () => {
  const words = new Uint32Array(4);
  for (const text of [
    "0.0.0.0",
    "10.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "2001:db8::1",
    "2001:db8:0:1:1:1:1:1",
    "fe80::1:0:0:2",
    "1:2:3:4:5:6:7:8",
  ]) {
    assert.equal(readAddress(text, words), true, text);
    assert.equal(formatAddress(words), text);
  }
  assert.equal(readAddress("::ffff:10.0.0.1", words), true);
  assert.equal(formatAddress(words), "10.0.0.1");
  assert.equal(readAddress("fe80::1%eth0", words), true);
  for (const text of ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1..2.3", "example.org", "1:2:3", "1::2::3", "12345::", ":1"]) {
    assert.equal(readAddress(text, words), false, text);
  }
});

test("facts: every kind of identity, there and back", () => {
  const identities: (SecureIdentity | undefined)[] = [
    undefined,
    psk("dev1"),
    { kind: "rpk", publicKey: bytesOf(91, 1) },
    { kind: "x509", certificate: bytesOf(600, 2), commonName: "näme", dnsNames: ["a", "b"], uris: [], anchorSha256: bytesOf(32, 3) },
    { kind: "x509", certificate: bytesOf(9, 2), commonName: undefined, dnsNames: [], uris: ["urn:x"], anchorSha256: undefined },
  ];
  for (const identity of identities) {
    for (const serverName of [undefined, "", "realm.example"]) {
      assert.deepEqual(decodeFacts(encodeFacts({ identity, serverName })), { identity, serverName });
    }
  }
});

test("associations: found by key, id, address and twin while they live, by nothing afterwards", () => {
  const table = tableOf();
  const at = (port: number) => ({ address: "10.0.0.2", port });
  const withId = table.open(keysWith(table.newOwnId()), "server", at(1), 0);
  const plain = table.open(keysWith(undefined), "server", at(2), 0);
  assert.equal(table.findByAddress(at(2)), -1, "not before it is established");
  table.establish(withId, { identity: psk("a"), serverName: undefined });
  table.establish(plain, { identity: psk("a"), serverName: undefined });
  const id = table.slab.view(withId, 128, 8).slice();
  assert.deepEqual([...id.subarray(0, 2)], [7, 8]);
  assert.equal(table.findByOwnId(id, 0), withId);
  assert.equal(table.findByAddress(at(1)), -1, "RFC 9146 §3: its records carry the id");
  assert.equal(table.findByAddress(at(2)), plain);
  assert.deepEqual(table.twinsOf(plain), [withId]);
  assert.equal(table.addressOf(plain), table.addressOf(plain));
  const { key = 0 } = table.addressOf(plain).association ?? {};
  assert.equal(table.findByKey(key), plain);
  table.setAddress(plain, { address: "2001:db8::5", port: 9 });
  assert.equal(table.findByAddress(at(2)), -1);
  assert.equal(table.addressOf(plain).address, "2001:db8::5");
  table.setAddress(plain, { address: "fe80::5%eth0", port: 9 });
  assert.equal(table.addressOf(plain).address, "fe80::5%eth0", "a link-local peer is sent to by its interface");
  assert.equal(table.findByAddress({ address: "fe80::5%eth0", port: 9 }), plain);
  table.free(plain);
  table.free(withId);
  assert.deepEqual([table.findByKey(key), table.findByOwnId(id, 0), table.findByAddress({ address: "fe80::5", port: 9 })], [-1, -1, -1]);
  const next = table.open(keysWith(undefined), "server", at(2), 0);
  assert.equal(table.slab.number(next, NumberSlot.key), key - 1, "a key is never given twice");
});

test("RFC 9146 §3: an id of the peer may be up to 255 bytes long", () => {
  const table = tableOf();
  const long = seededRandom(1).bytes(255);
  const row = table.open(keysWith(table.newOwnId(), long), "client", { address: "::1", port: 1 }, 0);
  assert.deepEqual(table.peerIdOf(row), long);
  table.free(row);
  assert.equal(table.open(keysWith(table.newOwnId()), "client", { address: "::1", port: 1 }, 0), row);
  assert.deepEqual(table.peerIdOf(row), bytesOf(2, 9));
});
