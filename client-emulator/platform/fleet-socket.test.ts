import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { openFleetSocket, sourceAddress } from "./fleet-socket.ts";

test("fleet sockets: each device is another peer, both ways", async () => {
  const server = createSocket("udp4");
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const to = { address: "127.0.0.1", port: server.address().port };
  const sockets = await Promise.all([0, 1, 300].map((index) => openFleetSocket(index, to)));
  try {
    const peers = new Set<string>();
    for (const [i, socket] of sockets.entries()) {
      const heard = new Promise<string>((resolve) => socket.onDatagram((bytes) => resolve(Buffer.from(bytes).toString())));
      socket.send(Buffer.from(`device ${i}`), to);
      const [bytes, from] = await once(server, "message");
      assert.equal(String(bytes), `device ${i}`);
      peers.add(`${from.address}:${from.port}`);
      server.send("answer", from.port, from.address);
      assert.equal(await heard, "answer");
    }
    assert.equal(peers.size, 3);
  } finally {
    await Promise.all(sockets.map((socket) => socket.close()));
    server.close();
  }
});

test("fleet sockets: source addresses stay within 127.64.0.0/10 and are all different", () => {
  const addresses = [0, 255, 256, 65_534].map(sourceAddress);
  assert.deepEqual(addresses, ["127.64.0.0", "127.64.0.255", "127.64.1.0", "127.64.255.254"]);
});
