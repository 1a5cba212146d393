/**
 * Registrations acknowledged durably, through CoAP over loopback: devices in a closed loop, each registering anew as soon as its 2.01 is
 * there. The server is a process of its own; a 2.01 means that the registration and its event are on disk.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";

const loopback = "127.0.0.1";
const devices = 64;
const links = new TextEncoder().encode('</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</4/0>,</5/0>,</3303/0>');

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "registration-bench-"));
  const child = fork(fileURLToPath(new URL("./rest-server.js", import.meta.url)), ["ours", directory], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  try {
    const [message]: { coapPort?: number }[] = await Promise.race([once(child, "message"), once(child, "exit").then(() => [{}])]);
    if (message?.coapPort === undefined) throw new Error("the server did not start");
    await load(message.coapPort, seconds * 250);
    const perSecond = await load(message.coapPort, seconds * 750);
    const figure = `registrations acknowledged durably, ${devices} devices`;
    return [{ bench: "registration", figure, value: rounded(perSecond), unit: "1/s", against: null, ratio: null }];
  } finally {
    await stopped(child);
    await rm(directory, { recursive: true });
  }
}

async function load(port: number, ms: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: devices }, () => openUdpSocket({ address: loopback, port: 0 })));
  const endpoints = sockets.map((socket) => openCoapEndpoint({ socket, clock: systemClock, random: systemRandom }));
  const startedAt = performance.now();
  let registrations = 0;
  const loop = async (endpoint: CoapEndpoint, name: string): Promise<void> => {
    for (; performance.now() - startedAt < ms; registrations++) await register(endpoint, port, name);
  };
  await Promise.all(endpoints.map((endpoint, i) => loop(endpoint, `bench-${i}`)));
  const seconds = (performance.now() - startedAt) / 1_000;
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  return registrations / seconds;
}

async function register(endpoint: CoapEndpoint, port: number, name: string): Promise<void> {
  const outcome = await endpoint.request(endpoint.peerAt({ address: loopback, port }), {
    method: Method.post,
    path: ["rd"],
    query: [`ep=${name}`, "lt=86400", "lwm2m=1.1", "b=U"],
    contentFormat: ContentFormat.linkFormat,
    payload: links,
  });
  if (!outcome.ok) throw new Error(`a registration failed: ${outcome.reason}`);
  if (outcome.response.code !== ResponseCode.created) throw new Error(`a registration was answered ${outcome.response.code}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || !child.connected) return;
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}
