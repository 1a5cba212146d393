import assert from "node:assert/strict";
import { test } from "node:test";
import { settledHeapBytes } from "../platform/settled-heap.ts";
import { fuzzDtls } from "./dtls-fuzz.ts";

/** From 20,000 to 30,000 datagrams, when the code is compiled and the tables have had their most. */
const mostHeapGrowthBytes = 1_000_000;

test("RFC 6347 §4.1.2.7: 30,000 mutated datagrams at every step of handshakes and connections: nothing is thrown or made up, nothing stays, neighbours are served throughout", async () => {
  const heaps: number[] = [];
  let next = 10_000;
  const report = await fuzzDtls(30_000, 20_262, (sent) => {
    if (sent < next) return;
    heaps.push(settledHeapBytes());
    next += 10_000;
  });
  const [, second = 0, last = 0] = heaps;
  assert.ok(last - second < mostHeapGrowthBytes, `the heap went from ${second} to ${last} bytes`);
  assert.ok(report.neighbourRounds > 25 && report.heard > 100, JSON.stringify(report));
  // The mutations reach every part: otherwise the run would prove little.
  for (const name of [
    "malformedRecords",
    "unknownRecords",
    "unknownConnectionIds",
    "replayedRecords",
    "forgedRecords",
    "plainAlertsIgnored",
    "helloVerifyRequests",
    "hellosDropped",
    "handshakesStarted",
    "connected",
    "failed-bad-message",
    "failed-unexpected-message",
  ]) {
    assert.ok((report.counters[name] ?? 0) > 1, `${name}: ${report.counters[name]}`);
  }
  assert.equal(report.counters["bugs"], 0);
});

test("a finding names seed and place", async () => {
  await assert.rejects(
    fuzzDtls(1_000, 7, () => {
      throw new Error("found");
    }),
    { message: /^seed 7, within the 500 datagrams before \d+: Error: found$/ },
  );
});
