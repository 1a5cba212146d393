import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { JoinedSocket } from "./joined-socket.ts";

class FakeSocket implements DatagramSocket {
  readonly local: SocketAddress;
  readonly sent: string[] = [];
  closed = false;
  #receive: (bytes: Uint8Array, from: SocketAddress) => void = () => {};

  constructor(port: number) {
    this.local = { address: "10.0.0.1", port };
  }

  send(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes).toString());
  }

  onDatagram(receive: (bytes: Uint8Array, from: SocketAddress) => void): void {
    this.#receive = receive;
  }

  /** The bytes are the socket's again when it returns. */
  hear(text: string, from: SocketAddress): void {
    const bytes = Buffer.from(text);
    this.#receive(bytes, from);
    bytes.fill(0x78);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

const plainPeer: SocketAddress = { address: "10.0.0.2", port: 1 };
const securedPeer = (key: number): SocketAddress => ({
  ...plainPeer,
  association: { key, identity: undefined, serverName: undefined, fresh: true },
});

function aJoined() {
  const plain = new FakeSocket(5_683);
  const secured = new FakeSocket(5_684);
  const joined = new JoinedSocket(plain, secured);
  const heard: string[] = [];
  joined.onDatagram((bytes, from) => heard.push(`${from.association?.key ?? "plain"} ${Buffer.from(bytes)}`));
  return { plain, secured, joined, heard };
}

/** What was settled has been told to those who wait for it. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
}

test("what is for an association leaves by DTLS, the rest in the clear; both are heard, both are closed", async () => {
  const { plain, secured, joined, heard } = aJoined();
  joined.send(Buffer.from("to plain"), plainPeer);
  joined.send(Buffer.from("to secured"), securedPeer(-1));
  assert.deepEqual([plain.sent, secured.sent], [["to plain"], ["to secured"]]);
  plain.hear("one", plainPeer);
  secured.hear("two", securedPeer(-1));
  assert.deepEqual(heard, ["plain one", "-1 two"]);
  assert.equal(joined.local.port, 5_683);
  await joined.close();
  assert.deepEqual([plain.closed, secured.closed], [true, true]);
});

test("datagrams of an association wait in order until it is known whose it is; those of others do not", async () => {
  const { secured, joined, heard } = aJoined();
  const introduced: number[] = [];
  let release = (): void => {};
  joined.onFirst(({ association }) => {
    introduced.push(association?.key ?? 0);
    if (association?.key !== -1) return undefined;
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  secured.hear("first", securedPeer(-1));
  secured.hear("other", securedPeer(-2));
  secured.hear("second", securedPeer(-1));
  assert.deepEqual([heard, introduced], [["-2 other"], [-1, -2]]);
  release();
  await settled();
  secured.hear("third", securedPeer(-1));
  assert.deepEqual(heard, ["-2 other", "-1 first", "-1 second", "-1 third"]);
  assert.deepEqual(introduced, [-1, -2]);
});

test("an introduction that fails lets its datagrams through and is tried again; what waits is bounded", async () => {
  const { secured, joined, heard } = aJoined();
  let asked = 0;
  joined.onFirst(() => {
    asked += 1;
    return Promise.reject(new Error("the store is away"));
  });
  for (let i = 0; i < 100; i += 1) secured.hear(`${i}`, securedPeer(-1));
  await settled();
  assert.deepEqual(
    heard,
    Array.from({ length: 16 }, (_, i) => `-1 ${i}`),
  );
  assert.equal(asked, 1);
  secured.hear("later", securedPeer(-1));
  assert.equal(asked, 2);
});

test("an introduction that says not yet lets the datagram pass and is asked for again", async () => {
  const { secured, joined, heard } = aJoined();
  const seen: string[] = [];
  joined.onFirst((_peer, first) => {
    seen.push(Buffer.from(first).toString());
    return seen.length === 1 ? "not-yet" : undefined;
  });
  for (const text of ["a", "b", "c"]) secured.hear(text, securedPeer(-1));
  assert.deepEqual(
    [heard, seen],
    [
      ["-1 a", "-1 b", "-1 c"],
      ["a", "b"],
    ],
  );
});

test("an association that is gone is forgotten", async () => {
  const { secured, joined } = aJoined();
  let introductions = 0;
  joined.onFirst(() => {
    introductions += 1;
    return undefined;
  });
  for (let round = 0; round < 3; round += 1) {
    secured.hear("x", securedPeer(-1));
    secured.hear("y", securedPeer(-1));
    joined.forget(-1);
  }
  assert.equal(introductions, 3);
});
