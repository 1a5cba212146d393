import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { redisSuite } from "../testing/platform/redis-suite.ts";
import { ferretSuite } from "../testing/platform/store-suite.ts";
import { checkStore } from "./crash-check.ts";
import { crashRun } from "./crash-run.ts";
import { mongoCrashStore } from "./crash-store.ts";
import { Ledger } from "./ledger.ts";

const name = "kill -9 of the server, FerretDB and Redis under load";

redisSuite(name, () =>
  ferretSuite(name, () => {
    test("3 rounds: what was acknowledged is there, once", async (t) => {
      const directory = await mkdtemp(join(tmpdir(), "crash-mongo-"));
      const store = await mongoCrashStore(directory);
      t.after(async () => {
        await store.dispose();
        await rm(directory, { recursive: true });
      });
      const lines: string[] = [];
      const wrong = await crashRun({ directory, store, rounds: 3, seed: 13, devices: 6, programs: 2, onRound: (line) => lines.push(line) });
      assert.deepEqual(wrong, []);
      for (const killed of ["FerretDB killed", "Redis killed", "server killed"]) {
        assert.ok(
          lines.some((line) => line.includes(killed)),
          `${killed} in one round: ${lines.join("\n")}`,
        );
      }
      for (const kind of ["registrations", "updates", "operations", "notifications", "values"]) {
        assert.match(lines.at(-1) ?? "", new RegExp(`[1-9]\\d* ${kind}`), "there was load of every kind");
      }

      // The same look finds what is not there.
      const invented = new Ledger();
      invented.locations.set("crash-0", "rd/nowhere");
      invented.see("01ARZ3NDEKTSV4RRFFQ69G5FAV", { endpoint: "crash-0", value: "never" }, "queued", false);
      assert.equal((await checkStore(store, invented)).length, 2);
    });
  }),
);
