import assert from "node:assert/strict";
import { test } from "node:test";
import { settledHeapBytes } from "../platform/settled-heap.ts";
import { fuzzEndpoint } from "./datagram-fuzz.ts";

/** From 20,000 to 30,000 datagrams, when the code is compiled and the tables have had their most: 70 bytes each. */
const mostHeapGrowthBytes = 700_000;

test("RFC 7252 §3, §4: 30,000 random or mutated datagrams of 50 peers: nothing is thrown, nothing stays, a neighbour is served throughout", async () => {
  const heaps: number[] = [];
  const report = await fuzzEndpoint(30_000, 20_261, (sent) => {
    if (sent % 10_000 === 0) heaps.push(settledHeapBytes());
  });
  assert.equal(report.neighbourRequests, 60);
  const [, second = 0, last = 0] = heaps;
  assert.ok(last - second < mostHeapGrowthBytes, `the heap went from ${second} to ${last} bytes`);
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

test("a finding names seed and place", async () => {
  await assert.rejects(
    fuzzEndpoint(1_000, 7, (sent) => {
      if (sent === 1_000) throw new Error("found");
    }),
    { message: "seed 7, within the 500 datagrams before 1000: Error: found" },
  );
});
