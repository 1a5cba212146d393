import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import { aDoor, bodyOf, problemOf } from "../http/door-fixture.ts";
import { StorageUnavailableError } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { TelemetryPoint, TelemetryStore } from "../storage/store.ts";
import type { KnownValue, Twin } from "../twin/twin.ts";
import { twinCollection } from "../twin/twin-store.ts";
import { fleetHistoryRoutes } from "./fleet-http.ts";
import { historyRoutes } from "./history-http.ts";
import { LatestValues } from "./latest-values.ts";

const startMs = 1_767_225_600_000;
const all = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
const asCsv = { accept: "text/csv" };
const asNdjson = { accept: "application/x-ndjson" };
const point = (endpoint: string, path: string, second: number, value: TelemetryPoint["value"]): TelemetryPoint => ({
  ...{ endpoint, path, value, timeMs: startMs + second * 1_000, receivedMs: startMs + second * 1_000 + 5 },
});

async function aHistory(t: TestContext, points: readonly TelemetryPoint[]) {
  const directory = await mkdtemp(join(tmpdir(), "history-"));
  const store = await openEmbeddedStore({ directory, collections: [twinCollection], strictFilters: true });
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  await store.telemetry.append(points);
  return { store, ...(await aHistoryDoor(t, store.telemetry, new LatestValues(store))) };
}

const noTwins = { page: async () => ({ values: [], next: undefined }) };

function aHistoryDoor(t: TestContext, telemetry: TelemetryStore, latest: Pick<LatestValues, "page"> = noTwins) {
  const clock = { now: () => startMs + 3_600_000 };
  const devices = { isKnown: async (endpoint: string) => endpoint !== "nobody" };
  const door = { findPath: async (_: string, text: string) => ({ path: text, parsed: parsePath(text) }) };
  return aDoor(t, [
    ...historyRoutes({ telemetry, devices, door, clock }),
    ...fleetHistoryRoutes({ telemetry, latest, registry: openCatalogue(), clock }),
  ]);
}

const few = [
  ...[0, 1, 2].map((second) => point("dev-1", "/3303/0/5700", second, second * 1.5)),
  point("dev-1", "/3303/1/5700", 0, -4),
  point("dev-1", "/3/0/1", 0, '=cmd|" /C calc"!A0'),
  point("dev-1", "/33030/0/5700", 0, 1),
  point("=2+5", "/3303/0/5700", 1, 7),
  point("dev-2", "/3303/0/5700", 9, null),
];

test("RFC 4180: the whole device as CSV: header, one line a point, series by series, no cell a formula", async (t) => {
  const { ask } = await aHistory(t, few);
  const response = await ask(`/devices/dev-1/history?${all}`, { headers: asCsv });
  assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8; header=present");
  const time = (second: number) => `2026-01-01T00:00:0${second}.000Z,2026-01-01T00:00:0${second}.005Z`;
  assert.deepEqual((await response.text()).split("\r\n"), [
    "endpoint,path,time,receivedAt,value",
    `dev-1,/3/0/1,${time(0)},"'=cmd|"" /C calc""!A0"`,
    `dev-1,/3303/0/5700,${time(0)},0`,
    `dev-1,/3303/0/5700,${time(1)},1.5`,
    `dev-1,/3303/0/5700,${time(2)},3`,
    `dev-1,/3303/1/5700,${time(0)},-4`,
    `dev-1,/33030/0/5700,${time(0)},1`,
    "",
  ]);
  const formula = await ask(`/devices/${encodeURIComponent("=2+5")}/history?${all}`, { headers: asCsv });
  assert.match(await formula.text(), /\r\n'=2\+5,/);
  const nothing = await ask("/devices/dev-3/history", { headers: asCsv });
  assert.equal(await nothing.text(), "endpoint,path,time,receivedAt,value\r\n");
});

test("NDJSON of several paths: objects and instances take in what is below them, each series once; the range holds", async (t) => {
  const { ask } = await aHistory(t, few);
  const lines = async (query: string) =>
    (await (await ask(`/devices/dev-1/history?${all}&${query}`, { headers: asNdjson })).text())
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .map(({ path, value }) => `${path} ${value}`);
  const temperature = ["/3303/0/5700 0", "/3303/0/5700 1.5", "/3303/0/5700 3"];
  assert.deepEqual(await lines("path=/3303/0/5700&path=/3303/1"), [...temperature, "/3303/1/5700 -4"]);
  assert.deepEqual(await lines("path=/3303/0&path=/3303&path=/3303/1/5700&path=/3303"), [...temperature, "/3303/1/5700 -4"]);
  const cut = await ask("/devices/dev-1/history?path=/3303/0/5700&from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:02Z", {
    headers: asNdjson,
  });
  assert.deepEqual(JSON.parse(await cut.text()), {
    ...{ endpoint: "dev-1", path: "/3303/0/5700", value: 1.5 },
    ...{ time: "2026-01-01T00:00:01.000Z", receivedAt: "2026-01-01T00:00:01.005Z" },
  });
});

test("by steps of time, with gaps: the same steps as in pages, however long the range", async (t) => {
  const seconds = [0, 1, 2, 3, 600, 40_000, 40_001, 86_399];
  const points = seconds.map((second) => point("dev-1", "/3303/0/5700", second, second));
  const { ask } = await aHistory(t, [...points, point("dev-1", "/3/0/0", 4, "text")]);
  const query = `${all}&path=/3303/0/5700&stepSeconds=2`;
  const { items } = await bodyOf(await ask(`/devices/dev-1/history?${query}`));
  assert.equal(items.length, 5);
  const streamed = (await (await ask(`/devices/dev-1/history?${query}`, { headers: asNdjson })).text()).split("\n").slice(0, -1);
  assert.deepEqual(
    streamed.map((line) => JSON.parse(line)),
    items.map((item: object) => ({ endpoint: "dev-1", path: "/3303/0/5700", ...item })),
  );
  const mean = await ask(`/devices/dev-1/history?${all}&stepSeconds=86400&aggregate=mean`, { headers: asCsv });
  assert.deepEqual((await mean.text()).split("\r\n"), [
    "endpoint,path,time,value",
    "dev-1,/3/0/0,2026-01-01T00:00:00.000Z,",
    `dev-1,/3303/0/5700,2026-01-01T00:00:00.000Z,${seconds.reduce((a, b) => a + b) / seconds.length}`,
    "",
  ]);
});

test("over all devices: device by device, from one on; CSV and NDJSON, and nothing else", async (t) => {
  const { ask } = await aHistory(t, few);
  const endpoints = async (query: string, headers: Record<string, string> = {}) =>
    (await (await ask(`/history?${all}&${query}`, { headers })).text())
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line).endpoint);
  assert.deepEqual(await endpoints("path=temperature/0/sensorValue"), ["=2+5", "dev-1", "dev-1", "dev-1", "dev-2"]);
  assert.deepEqual(await endpoints("path=/3303/0/5700&after=dev-1", asNdjson), ["dev-2"]);
  const asText = await (await ask(`/history?${all}&path=/3303&after=dev-1`, { headers: asCsv })).text();
  assert.equal(asText, "endpoint,path,time,receivedAt,value\r\ndev-2,/3303/0/5700,2026-01-01T00:00:09.000Z,2026-01-01T00:00:09.005Z,\r\n");
  await problemOf(await ask("/history?path=/3303/0/5700", { headers: { accept: "application/json" } }), 406, "not-acceptable");
  await problemOf(await ask("/history"), 400, "bad-request");
  await problemOf(await ask("/history?path=no/such"), 422, "path-not-in-model");
});

test("a page of a resource whose values lie in its instances names them; one that has none is empty", async (t) => {
  const many = [0, 1, 2, 3, 4, 5].map((instance) => point("dev-1", `/3/0/11/${instance}`, 0, instance));
  const { ask } = await aHistory(t, [...few, ...many]);
  for (const more of ["", "&stepSeconds=60"]) {
    const { detail } = await problemOf(await ask(`/devices/dev-1/history?path=/3/0/11&${all}${more}`), 400, "bad-request");
    assert.match(
      String(detail),
      /^query parameter path: \/3\/0\/11 has values in resource instances: \/3\/0\/11\/0, .*\/3\/0\/11\/4, …; ask/,
    );
  }
  for (const path of ["/3/0/11/5", "/3/0/1", "/3/0/14"]) {
    assert.equal((await ask(`/devices/dev-1/history?path=${path}&from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z`)).status, 200, path);
  }
});

test("what does not go together is refused with the parameter at fault", async (t) => {
  const { ask } = await aHistory(t, few);
  const history = "/devices/dev-1/history";
  for (const [address, pointer] of [
    [history, "/path"],
    [`${history}?path=/3303/0/5700&path=/3303/1/5700`, "/path"],
    [`${history}?path=/3303`, "/path"],
    [`${history}?path=/3303/0/5700&aggregate=mean`, "/aggregate"],
    [`${history}?path=/3303/0/5700&from=2027-01-01T00:00:00Z`, "/from"],
    [`${history}?path=/3303/0/5700&limit=1&limit=2`, "/limit"],
  ] as const) {
    const { errors } = await problemOf(await ask(address), 400, "bad-request");
    assert.equal(errors[0].pointer, pointer, address);
  }
  await problemOf(await ask(`${history}?path=/3303/0/5700&limit=5`, { headers: asCsv }), 400, "bad-request");
  await problemOf(await ask(`${history}?path=/3303/0/5700`, { headers: { accept: "image/png" } }), 406, "not-acceptable");
  await problemOf(await ask("/devices/nobody/history", { headers: asCsv }), 404, "device-unknown");
});

/** Made as they are asked for: a point a second without end, in one series. */
class EndlessTelemetry {
  pages = 0;
  /** Fails the page of this number. */
  failsAt = Number.POSITIVE_INFINITY;
  readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  readonly store: TelemetryStore = {
    append: async () => {},
    downsample: async () => [],
    series: async () => [{ endpoint: "dev-1", path: "/3303/0/5700" }],
    range: async ({ endpoint, path, fromMs, limit }) => {
      this.pages += 1;
      if (this.pages >= this.failsAt) throw new StorageUnavailableError("gone");
      const from = Math.ceil((fromMs - startMs) / 1_000);
      return Array.from({ length: Math.min(limit, this.total - from) }, (_, i) => point(endpoint, path, from + i, from + i));
    },
  };
}

const endless = "/devices/dev-1/history?from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z&path=/3303/0/5700";
/** Of one read, and what a socket and its reader may hold between them: some 8 MB. */
const [pageSize, pagesOnTheWay] = [2_000, 60];

async function anEndlessHistory(t: TestContext, total: number) {
  const telemetry = new EndlessTelemetry(total);
  return { telemetry, ...(await aHistoryDoor(t, telemetry.store)) };
}

test("200,000 points: every one, in order, and never more of them in memory than are on their way to the reader", async (t) => {
  const total = 200_000;
  const { telemetry, ask } = await anEndlessHistory(t, total);
  const response = await ask(endless, { headers: asCsv });
  // The reader waits: so does the history.
  for (let i = 0; i < 50; i += 1) await ask("/none");
  assert.ok(telemetry.pages <= pagesOnTheWay, `${telemetry.pages} pages before the first was read`);
  let rest = "";
  let lines = -1;
  for await (const chunk of (response.body ?? assert.fail("no body")).pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\r\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      if (lines >= 0 && !line.endsWith(`,${lines}`)) assert.fail(`point ${lines}: ${line}`);
      lines += 1;
    }
    assert.ok(telemetry.pages * pageSize - lines <= pagesOnTheWay * pageSize, `${telemetry.pages} pages read, ${lines} lines out`);
  }
  assert.deepEqual([lines, rest, telemetry.pages], [total, "", total / pageSize + 1]);
});

test("a reader that leaves ends the reading at once", async (t) => {
  const { telemetry, ask, door, lines } = await anEndlessHistory(t, Number.MAX_SAFE_INTEGER);
  const leaving = new AbortController();
  const response = await ask(endless, { headers: asNdjson, signal: leaving.signal });
  await response.body?.getReader().read();
  leaving.abort();
  let before = -1;
  for (let quiet = 0; quiet < 10; quiet = telemetry.pages === before ? quiet + 1 : 0) {
    before = telemetry.pages;
    await ask("/none");
  }
  await door.close(1_000);
  assert.equal(telemetry.pages, before);
  assert.equal(
    lines.some((line) => line.includes('"level":"error"')),
    false,
  );
});

test("a store that fails in the middle breaks the stream off, so that nobody takes a part for the whole; at the start it is 503", async (t) => {
  const { telemetry, ask } = await anEndlessHistory(t, Number.MAX_SAFE_INTEGER);
  for (const headers of [asCsv, asNdjson]) {
    telemetry.failsAt = telemetry.pages + 5;
    const response = await ask(endless, { headers });
    assert.equal(response.status, 200);
    await assert.rejects(response.text(), { name: "TypeError" });
    telemetry.failsAt = telemetry.pages + 1;
    await problemOf(await ask(endless, { headers }), 503, "unavailable");
  }
  telemetry.failsAt = Number.POSITIVE_INFINITY;
  assert.equal((await ask(endless, { method: "HEAD", headers: asCsv })).status, 200);
});

test("latest values: device by device, in pages, only of those that have one", async (t) => {
  const { store, ask } = await aHistory(t, []);
  const twins = store.collection<Twin>(twinCollection);
  const known = (value: number): KnownValue => ({ type: "float", value, source: "notify", observedAt: startMs, receivedAt: startMs + 5 });
  for (let i = 0; i < 250; i += 1) {
    const values: Twin["values"] = i % 5 === 0 ? { "/3303/0/5700": known(i), "/3303/1/5700": known(-1) } : { "/3/0/9": known(0) };
    const _id = `dev-${String(i).padStart(3, "0")}`;
    await twins.insertOne({ _id, since: 0, values, rev: 1, outbox: [], hasOutbox: false });
  }
  const first = await bodyOf(await ask("/latest?path=temperature/0/sensorValue&limit=20"));
  assert.deepEqual(first.items[1], {
    ...{ endpoint: "dev-005", path: "/3303/0/5700", type: "float", value: 5, ageSeconds: 3_600 },
    ...{ time: "2026-01-01T00:00:00.000Z", receivedAt: "2026-01-01T00:00:00.005Z" },
  });
  const second = await bodyOf(await ask(`/latest?path=/3303/0/5700&limit=40&after=${first.next}`));
  assert.deepEqual([first.items.length, first.next, second.items.length, second.next], [20, "dev-095", 30, null]);
  await problemOf(await ask("/latest?path=/3303"), 400, "bad-request");
  await problemOf(await ask("/latest?path=no/such"), 422, "path-not-in-model");
});
