import assert from "node:assert/strict";
import { test } from "node:test";
import { settledHeapBytes } from "../platform/settled-heap.ts";
import { type FuzzReport, fuzzEndpoint } from "./datagram-fuzz.ts";

/** From 20,000 to 30,000 datagrams, when the code is compiled and the tables have had their most: 70 bytes each. */
const mostHeapGrowthBytes = 700_000;

/** `afterRound` runs after every 500 datagrams. */
async function measured(afterRound: () => void): Promise<{ readonly report: FuzzReport; readonly grownBytes: number }> {
  const heaps: number[] = [];
  const report = await fuzzEndpoint(30_000, 20_261, (sent) => {
    afterRound();
    if (sent % 10_000 === 0) heaps.push(settledHeapBytes());
  });
  const [, second = 0, last = 0] = heaps;
  return { report, grownBytes: last - second };
}

test("RFC 7252 §3, §4: 30,000 random or mutated datagrams of 50 peers: nothing is thrown, nothing stays, a neighbour is served throughout", async () => {
  const { report, grownBytes } = await measured(() => {});
  assert.equal(report.neighbourRequests, 60);
  assert.ok(grownBytes < mostHeapGrowthBytes, `the heap grew by ${grownBytes} bytes`);
  // What has to be empty at the end, which the run checks, was not empty all the time.
  for (const [name, most] of Object.entries(report.most)) assert.ok(most > 0, `${name}: never more than 0`);
  // The mutations reach every part: otherwise the run would prove little.
  assert.ok(report.requestsHandled > 3_000, `${report.requestsHandled} requests handled`);
  for (const name of [
    "malformed",
    "badOptions",
    "pings",
    "resetsIn",
    "duplicates",
    "messageIdsReused",
    "unmatchedResponses",
    "retransmissions",
    "backOffs",
    "staleNotifications",
  ] as const) {
    assert.ok(report.counters[name] > 10, `${name}: ${report.counters[name]}`);
  }
  assert.equal(report.ownRequests, 300);
  assert.ok(report.notifications > 10, `${report.notifications} notifications`);
  assert.equal(report.counters.bugs, 0);
});

test("a leak of 100 bytes a datagram is seen in the heap", async () => {
  const leaked: object[] = [];
  const { grownBytes } = await measured(() => {
    for (let i = 0; i < 500; i++) leaked.push(Array.from({ length: 12 }, () => leaked.length));
  });
  assert.ok(grownBytes > mostHeapGrowthBytes, `the heap grew by ${grownBytes} bytes`);
  assert.equal(leaked.length, 30_000);
});

test("a finding names seed and place", async () => {
  await assert.rejects(
    fuzzEndpoint(1_000, 7, (sent) => {
      if (sent === 1_000) throw new Error("found");
    }),
    { message: "seed 7, within the 500 datagrams before 1000: Error: found" },
  );
});
