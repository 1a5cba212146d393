import assert from "node:assert/strict";
import { test } from "node:test";
import { reportLines } from "./fleet-report.ts";
import { Tally } from "./tally.ts";

test("report: a row per kind that was used, losses and refusals by code, and what the load itself was late", () => {
  const [register, update, none] = [new Tally(), new Tally(), new Tally()];
  register.begin().acknowledged(12.5, 1);
  register.begin().refused(0xa3, 1);
  update.begin().acknowledged(1.234, 2);
  update.begin();
  const lines = reportLines({
    ...{ devices: 2, registered: 1, givenUp: 1, observed: 3, requestsServed: 7 },
    ...{ register: register.report(), update: update.report(), notification: none.report(), send: none.report() },
    load: { latenessMs: { count: 2, p50: 0.1, p90: 0.2, p99: 0.4, max: 2 }, skipped: 1 },
    datagrams: { in: 5, out: 6, retransmissions: 1, duplicates: 2, resets: 0, malformed: 0, unmatched: 0, missedAsleep: 4 },
  });
  assert.deepEqual(lines, [
    "1 of 2 registered, 1 given up; 3 observed, 7 requests served",
    "          sent  acknowledged  lost  repeated  p50 ms  p90 ms  p99 ms  max ms  refused",
    "register     2             1     0         0    12.5    12.5    12.5    12.5  1 × 5.03",
    "update       2             1     1         1    1.23    1.23    1.23    1.23  none",
    "datagrams: 5 in, 6 out, 1 retransmissions, 2 duplicates, 0 resets, 0 malformed, 0 unmatched, 4 missed asleep",
    "the load's own lateness: p99 0.4 ms, max 2 ms; 1 due and not begun",
  ]);
});
