import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import coap from "coap";
import { Method, ResponseCode } from "../coap/codes.ts";
import { openCoapEndpoint } from "../coap/endpoint.ts";
import type { CoapEndpoint } from "../coap/endpoint-contract.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";
import { openUdpSocket } from "./udp-socket.ts";

const loopback = "127.0.0.1";
const firmware = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) & 0xff));

async function anEndpoint(address = loopback): Promise<CoapEndpoint> {
  return openCoapEndpoint({ socket: await openUdpSocket({ address, port: 0 }), clock: systemClock, random: systemRandom });
}

async function aFreePort(): Promise<number> {
  const socket = await openUdpSocket({ address: loopback, port: 0 });
  await socket.close();
  return socket.local.port;
}

for (const address of [loopback, "::1"]) {
  test(`UDP: a datagram from ${address} arrives with its sender's address`, async () => {
    const one = await openUdpSocket({ address, port: 0, receiveBufferBytes: 262_144 });
    const other = await openUdpSocket({ address, port: 0 });
    const arrived = new Promise<unknown>((resolve) => {
      other.onDatagram((bytes, from) => resolve([[...bytes], from.address, from.port]));
    });
    one.send(Uint8Array.of(1, 2, 3), other.local);
    assert.deepEqual(await arrived, [[1, 2, 3], address, one.local.port]);
    assert.ok(one.receiveBufferBytes > 0);
    assert.equal(one.errors, 0);
    await one.close();
    await other.close();
    one.send(Uint8Array.of(1), other.local);
  });
}

test("UDP: one socket on :: serves both families and shows an IPv4 peer by its dotted address (RFC 4291 §2.5.5.2)", async () => {
  const both = await openUdpSocket({ address: "::", port: 0 });
  both.onDatagram((bytes, from) => both.send(Uint8Array.of(...bytes, from.address.includes(":") ? 6 : 4), from));
  for (const [address, family] of [
    [loopback, 4],
    ["::1", 6],
  ] as const) {
    const one = await openUdpSocket({ address, port: 0 });
    const answered = new Promise<unknown>((resolve) => {
      one.onDatagram((bytes, from) => resolve([[...bytes], from.address, from.port]));
    });
    one.send(Uint8Array.of(9), { address, port: both.local.port });
    assert.deepEqual(await answered, [[9, family], address, both.local.port]);
    await one.close();
  }
  assert.equal(both.errors, 0);
  await both.close();
});

test("UDP: a port in use and an address that is not ours are refused in one clear line", async () => {
  const first = await openUdpSocket({ address: loopback, port: 0 });
  await assert.rejects(openUdpSocket({ address: loopback, port: first.local.port }), {
    message: `cannot listen on udp 127.0.0.1 port ${first.local.port}: the port is in use`,
  });
  await assert.rejects(openUdpSocket({ address: "192.0.2.1", port: 0 }), { message: /this machine has no such address/ });
  await first.close();
});

test("UDP: a datagram the system refuses is counted, not thrown", async () => {
  const socket = await openUdpSocket({ address: loopback, port: 0 });
  socket.send(new Uint8Array(70_000), socket.local);
  socket.send(new Uint8Array(1), { address: loopback, port: 0 });
  assert.equal(socket.errors, 2);
  await socket.close();
});

test("UDP: payloads that a handler keeps stay what they were, and so does every answer on its way", async () => {
  const server = await anEndpoint();
  const client = await anEndpoint();
  const kept: Uint8Array[] = [];
  server.handle(({ payload }) => {
    kept.push(payload);
    return { code: ResponseCode.content, payload: payload.subarray(0, payload.length / 2) };
  });
  const bodies = Array.from({ length: 200 }, (_, i) => Buffer.alloc(2 + ((i * 37) % 1_000), i));
  const to = { address: loopback, port: server.local.port };
  for (const body of bodies) {
    const outcome = await client.request(client.peerAt(to), { method: Method.post, path: ["k"], payload: body });
    assert.ok(outcome.ok);
    assert.deepEqual(Buffer.from(outcome.response.payload), body.subarray(0, body.length / 2));
  }
  assert.deepEqual(kept.map(Buffer.from), bodies);
  await client.close();
  await server.close();
});

test("interop: npm coap as client: GET, POST, a download and an upload of 100 kB, an observation", async () => {
  const endpoint = await anEndpoint();
  const agent = new coap.Agent({ type: "udp4" });
  let stopObserving: () => void = () => {};
  endpoint.handle((request) => {
    if (request.path[0] === "fw") {
      return request.method === Method.get
        ? { code: ResponseCode.content, payload: firmware, contentFormat: 42 }
        : { code: ResponseCode.changed, payload: Uint8Array.of(Buffer.compare(request.payload, firmware)) };
    }
    return {
      code: ResponseCode.content,
      payload: Buffer.from(`${request.method} ${request.path.join("/")}?${request.query.join("&")}`),
      acceptObserve: (relation) => {
        void relation.notify({ code: ResponseCode.content, payload: Buffer.from("changed") }, true);
        relation.onEnd(() => stopObserving());
      },
    };
  });
  const ask = async (params: object, payload?: Buffer): Promise<coap.IncomingMessage> => {
    const request = agent.request({ hostname: loopback, port: endpoint.local.port, ...params });
    request.end(payload);
    const [response] = await once(request, "response");
    return response;
  };
  assert.equal((await ask({ pathname: "/a/b", query: "x=1&y=2" })).payload.toString(), "1 a/b?x=1&y=2");
  assert.equal((await ask({ pathname: "/a", method: "POST" }, Buffer.from("hello"))).payload.toString(), "2 a?");
  const download = await ask({ pathname: "/fw" });
  assert.equal(Buffer.compare(download.payload, firmware), 0);
  const upload = await ask({ pathname: "/fw", method: "PUT", options: { Block1: Buffer.of(0x06) } }, firmware);
  assert.equal(upload.code, "2.04");
  assert.deepEqual([...upload.payload], [0]);

  const stream = await ask({ pathname: "/o", observe: true });
  const [first] = await once(stream, "data");
  const [second] = await once(stream, "data");
  assert.deepEqual([String(first), String(second)], ["1 o?", "changed"]);
  const ended = new Promise<void>((resolve) => {
    stopObserving = resolve;
  });
  (stream as coap.ObserveReadStream).close();
  await endpoint.close();
  await ended;
});

test("interop: npm coap as server: GET, a download of 100 kB, an observation and its end", async () => {
  const server = coap.createServer({ type: "udp4" }, (request, response) => {
    if (request.url === "/fw") {
      response.setOption("Content-Format", "application/octet-stream");
      response.end(firmware);
    } else if (request.headers.Observe === 0) {
      response.write("one");
      setImmediate(() => response.write("two"));
    } else {
      response.end(`${request.method} ${request.url}`);
    }
  });
  const port = await aFreePort();
  await new Promise<void>((resolve) => {
    server.listen(port, loopback, () => resolve());
  });
  const endpoint = await anEndpoint();
  const peer = endpoint.peerAt({ address: loopback, port });
  const text = await endpoint.request(peer, { method: Method.get, path: ["a", "b"] });
  assert.ok(text.ok);
  assert.equal(Buffer.from(text.response.payload).toString(), "GET /a/b");
  const download = await endpoint.request(peer, { method: Method.get, path: ["fw"] });
  assert.ok(download.ok, "download");
  assert.equal(Buffer.compare(download.response.payload, firmware), 0);
  assert.equal(download.response.contentFormat, 42);

  const seen: string[] = [];
  let onSecond: () => void = () => {};
  const second = new Promise<void>((resolve) => {
    onSecond = resolve;
  });
  const observed = await endpoint.observe(
    peer,
    { method: Method.get, path: ["o"] },
    {
      onNotification: (response) => {
        seen.push(Buffer.from(response.payload).toString());
        onSecond();
      },
      onEnd: (reason) => void seen.push(reason),
    },
  );
  assert.ok(observed.ok && observed.observing);
  assert.equal(Buffer.from(observed.response.payload).toString(), "one");
  await second;
  assert.deepEqual(seen, ["two"]);
  await endpoint.close();
  assert.deepEqual(seen, ["two", "closed"]);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
});
