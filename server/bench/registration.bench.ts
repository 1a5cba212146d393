/**
 * Registrations acknowledged durably, through CoAP over loopback: devices in a closed loop, each registering anew as soon as its 2.01 is
 * there, which means that the registration and its event are on disk. In turns with the same server on a store in memory. Then everything at
 * once, registrations, updates and telemetry, and how long the server's main loop kept others waiting meanwhile. Servers are processes of
 * their own.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { medianOf } from "@lwm2m/protocol/bench/statistics";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { openIdleLoop } from "./idle-loop.ts";
import { askServer, type ServerProcess, startServer, stopServer } from "./server-process.ts";

const loopback = "127.0.0.1";
const devices = 64;
const links = new TextEncoder().encode('</>;rt="oma.lwm2m";ct="60 110 112",</1/0>,</3/0>,</4/0>,</5/0>,</3303/0>');

/** Of each side, after one that does not count. */
const rounds = 5;
/** Values of one Send of the telemetry at full rate. */
const valuesOfSend = 50;

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "registration-bench-"));
  const servers: ServerProcess[] = [];
  try {
    for (const kind of ["ours", "memory"]) servers.push(await startServer([kind, join(directory, kind)]));
    const [ours, memory] = servers;
    if (ours === undefined || memory === undefined) throw new Error("two servers were started");
    const roundMs = (seconds * 750) / (2 * (rounds + 1));
    const [kept, forgotten]: [Round[], Round[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      kept.push(await registering(ours, roundMs));
      forgotten.push(await registering(memory, roundMs));
    }
    return [...compared(kept.slice(1), forgotten.slice(1)), ...(await measureDelay(ours, seconds * 250))];
  } finally {
    for (const server of servers) await stopServer(server);
    await rm(directory, { recursive: true });
  }
}

interface Round {
  readonly perSecond: number;
  /** Of all threads of the server, each registration. */
  readonly cpuUs: number;
}

/** Medians over the rounds; then the best rounds, which others on the machine disturbed least. The load costs more than either server. */
function compared(kept: readonly Round[], forgotten: readonly Round[]): Figure[] {
  const name = `registrations acknowledged durably, ${devices} devices`;
  const shared = { bench: "registration", against: "memory-store" } as const;
  const rate = ({ perSecond }: Round): number => perSecond;
  const cpu = ({ cpuUs }: Round): number => cpuUs;
  const [middle, best] = [medianOf(kept.map(rate)), Math.max(...kept.map(rate))];
  const cpuUs = medianOf(kept.map(cpu));
  return [
    { ...shared, figure: name, value: rounded(middle), unit: "1/s", ratio: rounded(middle / medianOf(forgotten.map(rate))) },
    {
      ...shared,
      figure: `${name}, best round`,
      value: rounded(best),
      unit: "1/s",
      ratio: rounded(best / Math.max(...forgotten.map(rate))),
    },
    {
      ...shared,
      figure: "server CPU per registration",
      value: rounded(cpuUs),
      unit: "us",
      ratio: rounded(medianOf(forgotten.map(cpu)) / cpuUs),
    },
  ];
}

async function registering(server: ServerProcess, ms: number): Promise<Round> {
  const { cpuUs: before = Number.NaN } = await askServer(server, "tell");
  const { done, seconds } = await inLanes(ms, (endpoint, lane) => {
    const request = aRegistration(`bench-${lane}`);
    return async () => void (await ask(endpoint, server.coapPort, request));
  });
  const { cpuUs = Number.NaN } = await askServer(server, "tell");
  return { perSecond: done / seconds, cpuUs: (cpuUs - before) / done };
}

/** The loop's timer has a resolution of 1 ms, which is in all of these. An idle loop next to it tells what the machine itself adds. */
async function measureDelay(server: ServerProcess, ms: number): Promise<Figure[]> {
  const idle = await openIdleLoop();
  await askServer(server, "watch");
  const { done, seconds } = await inLanes(ms, (endpoint, lane) => laneOfAll(endpoint, lane, server.coapPort));
  const { delayP99Ms = Number.NaN } = await askServer(server, "tell");
  const idleP99Ms = await idle.close();
  const delay = (figure: string, value: number, unit = "ms"): Figure => ({
    ...{ bench: "registration", figure, value: rounded(value), unit, against: null, ratio: null },
  });
  return [
    delay("registrations, updates and Sends at once, requests", done / seconds, "1/s"),
    delay("main event loop delay of the server meanwhile, p99", delayP99Ms),
    delay("delay of an idle event loop meanwhile, p99", idleP99Ms),
  ];
}

type Lane = () => Promise<void>;

/** Half of the devices register again and again, a quarter updates, a quarter sends values. */
async function laneOfAll(endpoint: CoapEndpoint, lane: number, port: number): Promise<Lane> {
  const register = aRegistration(`bench-${lane}`);
  const location = await ask(endpoint, port, register);
  if (lane % 2 === 0) return async () => void (await ask(endpoint, port, register));
  const update: OutgoingRequest = { method: Method.post, path: location, query: ["lt=86400"] };
  if (lane % 4 === 1) return async () => void (await ask(endpoint, port, update));
  return async () => void (await ask(endpoint, port, sending()));
}

async function inLanes(
  ms: number,
  lane: (endpoint: CoapEndpoint, n: number) => Lane | Promise<Lane>,
): Promise<{ readonly done: number; readonly seconds: number }> {
  const sockets = await Promise.all(Array.from({ length: devices }, () => openUdpSocket({ address: loopback, port: 0 })));
  const endpoints = sockets.map((socket) => openCoapEndpoint({ socket, clock: systemClock, random: systemRandom }));
  const lanes = await Promise.all(endpoints.map(lane));
  const startedAt = performance.now();
  let done = 0;
  const loop = async (run: Lane): Promise<void> => {
    for (; performance.now() - startedAt < ms; done++) await run();
  };
  await Promise.all(lanes.map(loop));
  const seconds = (performance.now() - startedAt) / 1_000;
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  return { done, seconds };
}

function aRegistration(name: string): OutgoingRequest {
  const query = [`ep=${name}`, "lt=86400", "lwm2m=1.1", "b=U"];
  return { method: Method.post, path: ["rd"], query, contentFormat: ContentFormat.linkFormat, payload: links };
}

function sending(): OutgoingRequest {
  const now = Date.now() / 1_000;
  const pack = Array.from({ length: valuesOfSend }, (_, i) => ({ n: "/3303/0/5700", t: now - i / 1_000, v: 20 + (i % 10) / 10 }));
  const payload = new TextEncoder().encode(JSON.stringify(pack));
  return { method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload };
}

/** The location of a 2.01, empty for a 2.04. */
async function ask(endpoint: CoapEndpoint, port: number, request: OutgoingRequest): Promise<readonly string[]> {
  const outcome = await endpoint.request(endpoint.peerAt({ address: loopback, port }), request);
  if (!outcome.ok) throw new Error(`a request failed: ${outcome.reason}`);
  const { code, locationPath } = outcome.response;
  if (code !== ResponseCode.created && code !== ResponseCode.changed)
    throw new Error(`a request to /${request.path.join("/")} was answered ${code}`);
  return locationPath;
}
