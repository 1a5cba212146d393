/**
 * Suites on MongoDB-wire servers. STORES=off skips them, STORES=required fails where no server is installed, STORES=all does too
 * and runs the long ones; otherwise they run where a server is installed and are skipped by name elsewhere.
 */

import { basename } from "node:path";
import { after, before, describe, test } from "node:test";
import { openMongoStore } from "../../storage/mongo/mongo-store.ts";
import { standOn } from "../world-store.ts";
import { FerretProcess } from "./ferretdb-process.ts";

const installer = "conformance-tests/interop/peers/stores/install.sh";

/** `ferret()` is there once the suite runs; `inMemory` as for `FerretProcess.open`. */
export function ferretSuite(
  name: string,
  body: (ferret: () => FerretProcess) => void,
  settings: { readonly inMemory?: boolean } = {},
): void {
  if (!isFerretWanted(name)) return;
  describe(name, () => {
    let running: FerretProcess | undefined;
    before(async () => {
      running = await FerretProcess.open(settings);
    });
    after(() => running?.dispose());
    body(() => {
      if (running === undefined) throw new Error("FerretDB does not run");
      return running;
    });
  });
}

/** The server worlds of this file stand on FerretDB, a database each; `load` imports the suites that are to run there. */
export async function worldsOnFerret(name: string, load: () => Promise<unknown>): Promise<void> {
  if (!isFerretWanted(name)) return;
  const ferret = await FerretProcess.open({ inMemory: true });
  after(() => ferret.dispose());
  standOn((directory, collections) =>
    openMongoStore({
      ...{ url: ferret.url(basename(directory)), directory, collections },
      ...{ strictFilters: true, poolSize: 10, timeoutMs: 30_000 },
    }),
  );
  await load();
}

/** False when the suite is skipped or cannot run; then one test of its name says so. */
function isFerretWanted(name: string): boolean {
  const choice = process.env["STORES"];
  const isOff = choice === "off";
  if (!isOff && FerretProcess.isInstalled()) return true;
  const reason = isOff ? "STORES=off" : `FerretDB is not installed (${installer} does it)`;
  if (choice === "required" || choice === "all") {
    test(name, () => {
      throw new Error(`STORES=${choice}, but ${reason}`);
    });
  } else test(name, { skip: `${reason}; STORES=required makes this a failure` }, () => undefined);
  return false;
}

/** An operator's own MongoDB, when its address is given. */
export function mongoUrlOfTests(): string | undefined {
  return process.env["MONGO_URL"] || undefined;
}

/** False where minutes are not spent on one suite; then one test of its name says so. */
export function isLongSuiteWanted(name: string): boolean {
  if (process.env["STORES"] === "all") return true;
  test(name, { skip: "runs for minutes, with STORES=all" }, () => undefined);
  return false;
}
