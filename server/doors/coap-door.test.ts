import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { heldSocket } from "./coap-door.ts";

const from: SocketAddress = { address: "192.0.2.1", port: 5683 };

/** Delivers by hand, from one buffer that is used again, as a real socket does. */
function aSocket() {
  let receive: (bytes: Uint8Array, from: SocketAddress) => void = () => {};
  const shared = Buffer.alloc(1);
  const socket: DatagramSocket = {
    local: from,
    send: () => {},
    onDatagram: (receiver) => {
      receive = receiver;
    },
    close: async () => {},
  };
  const deliver = (byte: number): void => {
    shared[0] = byte;
    receive(shared, from);
  };
  return { socket, deliver };
}

test("what arrives while the server starts is heard afterwards, in order, and nothing before", () => {
  const { socket, deliver } = aSocket();
  const held = heldSocket(socket);
  const heard: number[] = [];
  held.socket.onDatagram((bytes) => heard.push(bytes[0] ?? -1));
  deliver(1);
  deliver(2);
  assert.deepEqual(heard, []);
  held.release();
  deliver(3);
  assert.deepEqual(heard, [1, 2, 3]);
});

test("what is kept while starting is bounded", () => {
  const { socket, deliver } = aSocket();
  const held = heldSocket(socket);
  let heard = 0;
  held.socket.onDatagram(() => {
    heard += 1;
  });
  for (let i = 0; i < 10_000; i += 1) deliver(1);
  held.release();
  assert.equal(heard, 4_096);
});
