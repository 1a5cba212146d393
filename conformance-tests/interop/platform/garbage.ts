/** Broken datagrams thrown at a CoAP port: valid messages, mutated from a seed. */
import { createSocket, type Socket } from "node:dgram";

/** Register, Update, De-register, GET with Observe, GET with Block2, Block1 POST, empty ping, ACK, RST; written by hand (RFC 7252 §3). */
const seeds: readonly string[] = [
  // CON POST /rd?ep=garbage&lt=60&lwm2m=1.1&b=U, link format </1/0>,</3/0>
  "48021a2b0102030405060708b272641128 3a65703d67617262616765 056c743d3630 096c776d326d3d312e31 03623d55 ff3c2f312f303e2c3c2f332f303e",
  "44021a2c0a0b0c0db27264 0461626364 456c743d3630",
  "44041a2d0a0b0c0db27264 0461626364",
  "44011a2e0a0b0c0d60 51330130 0130",
  "42011a2f0102 b26677 05746f6b656e c106",
  "42021a300102 b26470 112a d1020e ff0102030405060708090a0b0c0d0e0f10",
  "40001a31",
  "60451a32 ff68656c6c6f",
  "70001a33",
];

/** Datagrams that are in flight before a ping makes sure that the server has kept up. */
const burst = 100;

/** Sends `count` mutated datagrams; resolves with how many pings the server answered in between. */
export async function throwGarbage(port: number, count: number, seed: number): Promise<number> {
  const random = mulberry32(seed);
  const socket = createSocket("udp4");
  try {
    await new Promise<void>((resolve) => socket.connect(port, "127.0.0.1", resolve));
    let pongs = 0;
    for (let sent = 0; sent < count; ) {
      for (const end = Math.min(sent + burst, count); sent < end; sent++) socket.send(mutated(random));
      if (await ping(socket, 0x4000 + (sent % 0x1000))) pongs += 1;
    }
    return pongs;
  } finally {
    socket.close();
  }
}

function mutated(random: () => number): Buffer {
  const pick = (limit: number): number => Math.floor(random() * limit);
  let bytes = Buffer.from((seeds[pick(seeds.length)] ?? "").replaceAll(" ", ""), "hex");
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(bytes.length);
    switch (pick(5)) {
      case 0:
        bytes[at] = pick(256);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(256), pick(256)]), bytes.subarray(at)]);
        break;
      case 3:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
        break;
      default:
        bytes = Buffer.concat([bytes, Buffer.alloc(pick(1400), pick(256))]);
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

/** CoAP ping (RFC 7252 §4.3): an empty confirmable message is answered with a Reset of the same message id. */
function ping(socket: Socket, messageId: number): Promise<boolean> {
  const message = Buffer.from([0x40, 0x00, messageId >> 8, messageId & 0xff]);
  const reset = Buffer.from([0x70, 0x00, messageId >> 8, messageId & 0xff]);
  return new Promise((resolve) => {
    const finish = (answered: boolean): void => {
      clearTimeout(timer);
      socket.off("message", look);
      resolve(answered);
    };
    const look = (received: Buffer): void => {
      if (received.equals(reset)) finish(true);
    };
    const timer = setTimeout(() => finish(false), 15_000);
    socket.on("message", look);
    socket.send(message);
  });
}

/** A small seeded generator: the same seed throws the same datagrams. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
