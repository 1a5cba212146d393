/**
 * A million devices, each registered, in the embedded store: pages of `GET /devices` at random places, one at a time, and the memory of the
 * server that serves them. The server is a process of its own, started on the filled store; the whole takes minutes, so it runs by its
 * own name or from ten seconds on.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, longFromSeconds, rounded } from "@lwm2m/protocol/bench/figure";
import { percentilesOf } from "@lwm2m/protocol/bench/statistics";
import { collections } from "../collections.ts";
import type { Device } from "../devices/device.ts";
import { DeviceStore, deviceCollection } from "../devices/device-store.ts";
import { eventWrites } from "../events/event-writes.ts";
import type { RegistrationDocument } from "../registration/registration-store.ts";
import { registrationCollection } from "../registration/registration-store.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";
import { startServer, stopServer } from "./server-process.ts";

const deviceCount = 1_000_000;
const writesAtOnce = 1_000;
/** Of the page that is asked for: what the API gives unless told otherwise. */
const pageLength = 100;
const warmUpPages = 200;
const fewestPages = 2_000;
const mebibyte = 1024 * 1024;

export async function bench({ seconds, isNamed = false }: BenchOptions): Promise<Figure[]> {
  if (seconds < longFromSeconds && !isNamed) return [];
  const directory = await mkdtemp(join(tmpdir(), "million-bench-"));
  try {
    const { filledMs, pages: queried } = await fill(directory, seconds);
    const startedAt = performance.now();
    const server = await startServer(["ours", directory]);
    const startMs = performance.now() - startedAt;
    try {
      const idle = memoryOf(server.process.pid);
      const agent = new Agent({ keepAlive: true });
      const pages = await measurePages(seconds, (after) => getPage(server.port, agent, after));
      agent.destroy();
      const { p50, p99 } = percentilesOf(pages);
      const query = percentilesOf(queried);
      return [
        figure("filled by bulk writes", filledMs / 1_000, "s"),
        figure("start of the server on it", startMs / 1_000, "s"),
        figure(`query of a page of ${pageLength} devices, p50`, query.p50, "ms"),
        figure(`query of a page of ${pageLength} devices, p99`, query.p99, "ms"),
        figure(`GET of a page of ${pageLength} devices, p50`, p50, "ms"),
        figure(`GET of a page of ${pageLength} devices, p99`, p99, "ms"),
        figure("memory of the server after its start (RSS)", idle / mebibyte, "MiB"),
        figure("memory of the server after the pages (RSS)", memoryOf(server.process.pid) / mebibyte, "MiB"),
      ];
    } finally {
      await stopServer(server);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}

function figure(name: string, value: number, unit: string): Figure {
  return { bench: "million", figure: name, value: rounded(value), unit, against: null, ratio: null };
}

const nameOf = (n: number): string => `urn:imei:${String(n).padStart(15, "0")}`;

/** How long it took, and queries to the store as the server's registry makes them. */
async function fill(directory: string, seconds: number): Promise<{ readonly filledMs: number; readonly pages: Float32Array }> {
  const startedAt = performance.now();
  const store = await openEmbeddedStore({ directory, collections });
  const nowMs = Date.now();
  // Two batches are under way, so that the next one is being built while the worker writes.
  let before: Promise<void> = Promise.resolve();
  for (let from = 0; from < deviceCount; from += writesAtOnce) {
    const batch = insert(store, from, nowMs);
    await before;
    before = batch;
  }
  await before;
  const filledMs = performance.now() - startedAt;
  const devices = new DeviceStore(store, { writes: (collection) => eventWrites(collection, { log: {}, relay: { nudge: () => {} } }) });
  const pages = await measurePages(seconds, async (after) => void (await devices.list(pageLength, nameOf(after))));
  await store.close();
  return { filledMs, pages };
}

async function insert(store: Store, from: number, nowMs: number): Promise<void> {
  const numbers = Array.from({ length: writesAtOnce }, (_, i) => from + i);
  const devices = numbers.map((n) => ({ insertOne: { document: aDevice(n, nowMs) } }));
  const registrations = numbers.map((n) => ({ insertOne: { document: aRegistration(n, nowMs) } }));
  await Promise.all([
    store.collection<Device>(deviceCollection).bulkWrite(devices),
    store.collection<RegistrationDocument>(registrationCollection).bulkWrite(registrations),
  ]);
}

function aDevice(n: number, nowMs: number): Device {
  return { _id: nameOf(n), createdAt: nowMs, lastSeenAt: nowMs, outbox: [], hasOutbox: false };
}

function aRegistration(n: number, nowMs: number): RegistrationDocument {
  return {
    _id: nameOf(n),
    locationId: `location${n}`,
    address: { address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, port: 5683 },
    identity: { kind: "none" },
    lwm2mVersion: "1.1",
    lifetimeSeconds: 86_400,
    binding: "U",
    queueMode: false,
    extraParameters: {},
    rootPath: "",
    contentFormats: [60, 110, 112],
    objects: [1, 3, 4, 5, 3303].map((id) => ({ id, version: "1.0", instances: [0] })),
    tolerances: [],
    registeredAt: nowMs,
    updatedAt: nowMs,
    expiresAt: nowMs + 86_400_000 + n,
    barredAt: null,
    rev: 1,
    gone: null,
    contactIntervalMs: null,
    outbox: [],
    hasOutbox: false,
  };
}

/** Milliseconds of each page, one at a time. */
async function measurePages(seconds: number, getPage: (after: number) => Promise<void>): Promise<Float32Array> {
  const times: number[] = [];
  for (let i = 0; i < warmUpPages; i++) await getPage(i);
  const startedAt = performance.now();
  for (let i = 0; i < fewestPages || performance.now() - startedAt < seconds * 1_000; i++) {
    const askedAt = performance.now();
    // By a large step: each page lies where none was asked for lately.
    await getPage((i * 514_229) % (deviceCount - pageLength));
    times.push(performance.now() - askedAt);
  }
  return Float32Array.from(times);
}

function getPage(port: number, agent: Agent, after: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/api/v1/devices?limit=${pageLength}&after=${nameOf(after)}`;
    const asked = request({ port, path, agent, headers: { authorization: "Bearer a-key-for-the-bench" } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        if (response.statusCode === 200 && Buffer.concat(chunks).includes(nameOf(after + pageLength))) resolve();
        else reject(new Error(`not the page after ${nameOf(after)}: ${response.statusCode}`));
      });
    });
    asked.on("error", reject).end();
  });
}

/** Resident bytes, as Linux tells them. */
function memoryOf(pid = 0): number {
  const [, kibibytes = "NaN"] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1_024;
}
