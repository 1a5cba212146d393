import assert from "node:assert/strict";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { ferretSuite } from "../../testing/platform/store-suite.ts";
import type { TelemetryPoint, TelemetryStore } from "../store.ts";
import { MongoLink } from "./mongo-link.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { PlainPoints } from "./plain-points.ts";
import type { TelemetryParts } from "./point-documents.ts";
import { TimeSeries } from "./time-series.ts";

const kinds: readonly (readonly [string, (parts: TelemetryParts) => Required<TelemetryStore>])[] = [
  ["a plain collection", (parts) => new PlainPoints(parts)],
  // Its queries, against a server that has the collection as a plain one.
  ["as a time series", (parts) => new TimeSeries(parts)],
];

const pointsOf = (endpoint: string, path: string, count: number): readonly TelemetryPoint[] =>
  Array.from({ length: count }, (_, n) => ({ endpoint, path, timeMs: n * 500 + 0.25, receivedMs: n + 1, value: { at: [n, "x"] } }));

ferretSuite(
  "Points on FerretDB",
  (ferret) => {
    for (const [n, [kind, make]] of kinds.entries()) {
      test(`points, ${kind}: an export has every point once, by path, endpoint name and time; retention takes what is older`, async (t) => {
        const client = await MongoClient.connect(ferret().url(`points${n}`));
        t.after(() => client.close());
        const database = client.db(`points${n}`);
        const telemetry = make({ database, link: new MongoLink(), turns: new OneAtATime(), onWarning: assert.fail, step: 25 });
        // One name begins with another, and goes on as a number of the key could.
        const names = ["urn:a", "pump", "pump c1", "pump c", "пумп"];
        const series = names.flatMap((endpoint) => ["/3303/1/5700", "/3303/0/5700"].map((path) => ({ endpoint, path })));
        const written = [...pointsOf("long", "/1/0", 120), ...series.flatMap(({ endpoint, path }) => pointsOf(endpoint, path, 3))];
        for (let at = 0; at < written.length; at += 100) await telemetry.append(written.slice(at, at + 100));
        const sorted = (points: readonly TelemetryPoint[]) =>
          points.toSorted((a, b) => order(a.path, b.path) || order(a.endpoint, b.endpoint) || a.timeMs - b.timeMs);
        const listed = async (): Promise<readonly TelemetryPoint[]> => {
          const found: TelemetryPoint[] = [];
          for await (const page of telemetry.all()) found.push(...page);
          return found;
        };
        assert.deepEqual(await listed(), sorted(written));
        const ofPump = { endpoint: "pump", path: "/3303/0/5700", fromMs: 0, toMs: 1_767_225_600_000, limit: 100 };
        assert.deepEqual(await telemetry.range(ofPump), pointsOf("pump", "/3303/0/5700", 3));

        assert.equal(await telemetry.deleteBefore(0), 0);
        assert.equal(await telemetry.deleteBefore(500.25), 11);
        assert.equal(await telemetry.deleteBefore(50_000), 99 + 20);
        assert.deepEqual(await listed(), sorted(written.filter(({ timeMs }) => timeMs >= 50_000)));
        // What a device whose clock is wrong said lately.
        await telemetry.append([{ endpoint: "long", path: "/1/0", timeMs: 7, receivedMs: 70_000, value: 1 }]);
        assert.equal(await telemetry.deleteBefore(70_000), 20);
        assert.equal(await telemetry.deleteBefore(1_767_225_600_000), 1);
        assert.deepEqual(await listed(), []);
      });
    }
  },
  { inMemory: true },
);

/** Of texts without characters beyond the basic plane: as their bytes. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
