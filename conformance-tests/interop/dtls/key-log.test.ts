/** tshark as an oracle: what we sent and received, written down on our socket, is decrypted by it with the key log alone. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import type { DatagramSocket } from "@lwm2m/protocol/ports/datagram-socket";
import { Child } from "../platform/child.ts";
import { removeDirectory, temporaryDirectory } from "../platform/locations.ts";
import { interopSuite } from "../platform/suite.ts";
import { ourClientCredentials } from "./credentials.ts";
import { loopback, OurDtls } from "./platform/our-dtls.ts";
import { type FeatureName, features } from "./wish.ts";

interface Noted {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

const watched: readonly FeatureName[] = ["psk-ccm-8", "psk-gcm", "psk-cbc", "certificates", "raw-keys", "cid-both"];
const said = "said in private";
const tsharkMs = 30_000;

interopSuite(
  "tshark reads our traffic with the key log",
  ["tshark"],
  () => {
    for (const feature of watched) {
      test(`${feature}: handshake and data of both sides, decrypted`, async () => {
        const directory = await temporaryDirectory();
        const noted: Noted[] = [];
        const keys: string[] = [];
        const wish = features[feature];
        const server = (
          await OurDtls.server(wish, {
            socket: noting(await openUdpSocket({ address: loopback, port: 0 }), noted),
            logKey: (line) => keys.push(line),
          })
        ).echo(wish);
        const client = (await OurDtls.client(wish)).onText();
        try {
          client.say(await client.endpoint.connect({ address: loopback, port: server.port }, ourClientCredentials(wish)), said);
          await client.hears("the answer", (words) => words === `echo ${said}`);
          await writeFile(join(directory, "keys"), `${keys.join("\n")}\n`);
          await writeFile(join(directory, "traffic.pcap"), pcapOf(noted));
          const shown = await tshark(directory, server.port);
          for (const words of [said, `echo ${said}`]) {
            assert.ok(shown.includes(Buffer.from(words).toString("hex")), `${words} is not in what tshark shows:\n${shown}`);
          }
        } finally {
          await client.close();
          await server.close();
          await removeDirectory(directory);
        }
      });
    }
  },
  3,
);

/** What it decrypted, as one line of hex digits a section. */
async function tshark(directory: string, port: number): Promise<string> {
  const child = new Child("tshark", "tshark", [
    ...["-r", join(directory, "traffic.pcap"), "-d", `udp.port==${port},dtls`, "-o", `tls.keylog_file:${join(directory, "keys")}`, "-x"],
  ]);
  await child.end(tsharkMs);
  const sections: string[] = [];
  let isDecrypted = false;
  for (const line of child.stdout) {
    if (line.startsWith("Decrypted")) sections.push("");
    if (!/^[0-9a-f]{4} /.test(line)) isDecrypted = line.startsWith("Decrypted");
    else if (isDecrypted) sections[sections.length - 1] += line.slice(6, 53).replaceAll(" ", "");
  }
  return sections.join("\n");
}

function noting(socket: DatagramSocket, noted: Noted[]): DatagramSocket {
  const { port } = socket.local;
  return {
    local: socket.local,
    send: (bytes, to) => {
      noted.push({ from: port, to: to.port, bytes: Uint8Array.from(bytes) });
      socket.send(bytes, to);
    },
    onDatagram: (receive) =>
      socket.onDatagram((bytes, from) => {
        noted.push({ from: from.port, to: port, bytes: Uint8Array.from(bytes) });
        receive(bytes, from);
      }),
    close: () => socket.close(),
  };
}

const linkTypeRawIp = 101;
const addressBytes = [127, 0, 0, 1];
const headersBytes = 28;

/** The classic format of libpcap: raw IPv4 without checksums, which tshark does not ask for. */
function pcapOf(noted: readonly Noted[]): Buffer {
  const start = Buffer.alloc(24);
  start.writeUInt32LE(0xa1b2c3d4, 0);
  start.writeUInt16LE(2, 4);
  start.writeUInt16LE(4, 6);
  start.writeUInt32LE(65_535, 16);
  start.writeUInt32LE(linkTypeRawIp, 20);
  const packets = noted.flatMap(({ from, to, bytes }, i) => {
    const length = headersBytes + bytes.length;
    const header = Buffer.alloc(16);
    header.writeUInt32LE(i + 1, 0);
    header.writeUInt32LE(length, 8);
    header.writeUInt32LE(length, 12);
    const ip = Buffer.alloc(headersBytes);
    ip.set([0x45, 0], 0);
    ip.writeUInt16BE(length, 2);
    ip.set([64, 17], 8);
    ip.set(addressBytes, 12);
    ip.set(addressBytes, 16);
    ip.writeUInt16BE(from, 20);
    ip.writeUInt16BE(to, 22);
    ip.writeUInt16BE(8 + bytes.length, 24);
    return [header, ip, Buffer.from(bytes)];
  });
  return Buffer.concat([start, ...packets]);
}
