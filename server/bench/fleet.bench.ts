/**
 * A fleet of devices in one process against the whole server in another, everything durable: registered devices update and notify at fixed
 * rates. How long acknowledgements take, what is lost, how late the server's main loop is, what a registered device costs in heap, and what a
 * REST read adds to the device's own answer time, with and without that load. From ten seconds on with 10,000 devices, 1,000 updates and 2,000
 * notifications a second; a tenth of that below.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, longFromSeconds, rounded } from "@lwm2m/protocol/bench/figure";
import { percentilesOf } from "@lwm2m/protocol/bench/statistics";
import { type ApiCaller, openApiCaller } from "./api-caller.ts";
import { type Fleet, type FleetAnswer, type KindReport, startFleet } from "./fleet-party.ts";
import { openIdleLoop } from "./idle-loop.ts";
import { askServer, type ServerProcess, startServer, stopServer } from "./server-process.ts";

const full = { devices: 10_000, observed: 4_000, updatesPerSecond: 1_000, notificationsPerSecond: 2_000, sendsPerSecond: 0 };
const small = { devices: 1_000, observed: 400, updatesPerSecond: 100, notificationsPerSecond: 200, sendsPerSecond: 0 };
type Size = typeof full;

/** Devices that were offline come back faster than this only in a storm, which `registration` measures. */
const registrationsPerSecond = 1_000;
const registrationsAtOnce = 256;
const connections = 16;
const observedPath = "temperature/0/sensorValue";
/** Code is compiled and the store has grown before anything counts, as a share of the time. */
const warmUpShare = 0.25;
/** Reads one after the other for so long, as a share of the time. */
const readShare = 0.25;
const fewestReads = 100;

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  const size = seconds >= longFromSeconds ? full : small;
  const directory = await mkdtemp(join(tmpdir(), "fleet-bench-"));
  const server = await startServer(["ours", directory, "info"]);
  const { heapBytes: emptyHeap = Number.NaN } = await askServer(server, "heap");
  const { devices } = size;
  const fleet = await startFleet({ port: server.coapPort, devices, prefix: "fleet", registrationsAtOnce, registrationsPerSecond });
  const api = openApiCaller(server.port, connections);
  try {
    const registered = await fleet.register();
    const { heapBytes = Number.NaN } = await askServer(server, "heap");
    await observe(api, size.observed);
    const alone = await readLatencies(api, size, seconds * readShare);
    return [
      ...registrationFigures(registered, (heapBytes - emptyHeap) / devices),
      readFigure("REST read of an awake device beyond the device's answer time, p99", alone),
      ...(await underLoad({ server, fleet, api, size, seconds })),
    ];
  } finally {
    api.close();
    await fleet.stop();
    await stopServer(server);
    await rm(directory, { recursive: true });
  }
}

interface Parties {
  readonly server: ServerProcess;
  readonly fleet: Fleet;
  readonly api: ApiCaller;
  readonly size: Size;
  readonly seconds: number;
}

async function underLoad({ server, fleet, api, size, seconds }: Parties): Promise<Figure[]> {
  await fleet.pace(size, seconds * warmUpShare);
  await askServer(server, "watch");
  const { cpuUs: before = Number.NaN } = await askServer(server, "tell");
  const idle = await openIdleLoop();
  const answer = await fleet.pace(size, seconds);
  const idleP99Ms = await idle.close();
  const { cpuUs = Number.NaN, delayP99Ms = Number.NaN } = await askServer(server, "tell");
  const meanwhile = fleet.pace(size, seconds * readShare);
  const reads = await readLatencies(api, size, seconds * readShare);
  await meanwhile;
  const { update, notification } = answer.report;
  const exchanges = update.acknowledged + notification.acknowledged;
  const rates = `${size.devices} devices, ${size.observed} observed, ${size.updatesPerSecond} updates and ${size.notificationsPerSecond} notifications a second`;
  tellLoad(rates, answer);
  return [
    figure(`${rates}: update acknowledged, p99`, update.latencyMs?.p99, "ms"),
    figure(`${rates}: notification acknowledged, p99`, notification.latencyMs?.p99, "ms"),
    figure(`${rates}: lost or refused`, missing(update) + missing(notification), "exchanges"),
    figure(`${rates}: main event loop delay of the server, p99`, delayP99Ms, "ms"),
    figure(`${rates}: delay of an idle event loop meanwhile, p99`, idleP99Ms, "ms"),
    figure(`${rates}: server CPU per exchange`, (cpuUs - before) / exchanges, "us"),
    readFigure(`${rates}: REST read beyond the device's answer time, p99`, reads),
  ];
}

function registrationFigures({ report, seconds, heapBytesPerDevice }: FleetAnswer, heapBytes: number): Figure[] {
  const { devices, register } = report;
  return [
    figure(`${devices} devices register, at most ${registrationsPerSecond} a second: rate`, register.acknowledged / seconds, "1/s"),
    figure("heap of the server per registered idle device", heapBytes, "B"),
    figure("heap of the fleet per device", heapBytesPerDevice ?? Number.NaN, "B"),
  ];
}

function missing({ sent, acknowledged }: KindReport): number {
  return sent - acknowledged;
}

async function observe(api: ApiCaller, devices: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < devices; index = next++) {
      await api.call("PUT", `/devices/fleet-${index}/resources/${observedPath}/observation`);
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
}

/** Of each read: the whole call less the time the device took to answer, milliseconds. */
async function readLatencies(api: ApiCaller, { devices }: Size, seconds: number): Promise<Float32Array> {
  const beyond: number[] = [];
  const startedAt = performance.now();
  for (let i = 0; i < fewestReads || performance.now() - startedAt < seconds * 1_000; i++) {
    const askedAt = performance.now();
    const operation = await api.call("POST", `/devices/fleet-${(i * 7_919) % devices}/operations`, { kind: "read", path: "/3/0/2" });
    const tookMs = performance.now() - askedAt;
    beyond.push(tookMs - roundTripOf(operation));
  }
  return Float32Array.from(beyond);
}

function roundTripOf({ status, attempts }: Record<string, unknown>): number {
  const [first]: unknown[] = Array.isArray(attempts) ? attempts : [];
  const roundTripMs = typeof first === "object" && first !== null && "roundTripMs" in first ? first.roundTripMs : undefined;
  if (status !== "succeeded" || typeof roundTripMs !== "number") throw new Error(`a read ended as ${status}`);
  return roundTripMs;
}

function readFigure(name: string, latencies: Float32Array): Figure {
  return figure(name, percentilesOf(latencies).p99, "ms");
}

function figure(name: string, value = Number.NaN, unit: string): Figure {
  return { bench: "fleet", figure: name, value: value === 0 ? 0 : rounded(value), unit, against: null, ratio: null };
}

function tellLoad(rates: string, { report, cpuSeconds, seconds, rssBytesPerDevice }: FleetAnswer): void {
  const { load, datagrams, update, notification } = report;
  const spread = ({ latencyMs }: KindReport): string => `p50 ${latencyMs?.p50}, max ${latencyMs?.max} ms`;
  console.error(
    `fleet ${rates}: updates ${spread(update)}, notifications ${spread(notification)}; fleet ${Math.round((cpuSeconds / seconds) * 100)} % busy, ` +
      `its lateness p99 ${load.latenessMs?.p99} ms, ${load.skipped} not begun; ${datagrams["retransmissions"]} retransmissions, ` +
      `${datagrams["duplicates"]} duplicates; fleet RSS per device ${Math.round(rssBytesPerDevice / 1_000)} kB`,
  );
}
