import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatagramSocket } from "../../ports/datagram-socket.ts";
import { clientAt, DtlsWorld, serverAt } from "../testing/dtls-world.ts";
import { provenParties } from "../testing/handshake-parties.ts";

/** What an IPv4 path carries at least (RFC 791 §3.2: 576 bytes) without the headers of IP and UDP. */
const pathBytes = 548;

/** Loses what the path does not carry. */
function onSmallPath(socket: DatagramSocket, sizes: number[]): DatagramSocket {
  return {
    local: socket.local,
    send(bytes, to) {
      sizes.push(bytes.length);
      if (bytes.length <= pathBytes) socket.send(bytes, to);
    },
    onDatagram: (receive) => socket.onDatagram(receive),
    close: () => socket.close(),
  };
}

for (const initialTimeoutMs of [600, 1_000, 2_000]) {
  test(`RFC 6347 §4.1.1.1: a path of ${pathBytes} bytes is found out with a client that repeats after ${initialTimeoutMs} ms`, async () => {
    const world = new DtlsWorld();
    const { credentials, realm } = provenParties("x509");
    const sizes: number[] = [];
    await world.server({ socket: onSmallPath(world.network.socket(serverAt), sizes), server: { credentials: { realmOf: () => realm } } });
    const client = await world.client({
      socket: onSmallPath(world.network.socket(clientAt), []),
      settings: { initialTimeoutMs, mtuBytes: 400, smallMtuBytes: 400 },
      limits: { datagramBytes: pathBytes },
    });
    const beganAt = world.clock.now();
    await world.clock.until(client.endpoint.connect(serverAt, credentials));
    assert.ok((sizes[1] ?? 0) > pathBytes, `the first flight is too large: ${sizes}`);
    assert.ok(world.clock.now() - beganAt < 8_000, `${world.clock.now() - beganAt} ms`);
    await world.end();
  });
}
