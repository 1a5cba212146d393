import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkDirectory } from "./crash-check.ts";
import { crashRun } from "./crash-run.ts";
import { Ledger } from "./ledger.ts";

test("kill -9 of the server under load, 3 rounds: registrations, operations, Sends and notifications acknowledged are there, once", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "crash-run-"));
  t.after(() => rm(directory, { recursive: true }));
  const lines: string[] = [];
  const wrong = await crashRun({ directory, rounds: 3, seed: 5, devices: 6, programs: 2, onRound: (line) => lines.push(line) });
  assert.deepEqual(wrong, []);
  for (const kind of ["registrations", "updates", "operations", "notifications", "values"]) {
    assert.match(lines.at(-1) ?? "", new RegExp(`[1-9]\\d* ${kind}`), "there was load of every kind");
  }

  // The same look finds what is not there.
  const invented = new Ledger();
  invented.locations.set("crash-0", "rd/nowhere");
  invented.see("01ARZ3NDEKTSV4RRFFQ69G5FAV", { endpoint: "crash-0", value: "never" }, "queued", false);
  invented.points.push({ endpoint: "crash-0", path: "/3303/1/5700", timeMs: 1, value: -1 });
  assert.equal((await checkDirectory(directory, invented)).length, 3);
});
