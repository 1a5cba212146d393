/** Suites on MongoDB-wire servers: skipped by name where there is none, failed where STORES=required says there has to be. */
import { after, before, describe, test } from "node:test";
import { FerretProcess } from "./ferretdb-process.ts";

const installer = "conformance-tests/interop/peers/stores/install.sh";

/** `ferret()` is there once the suite runs. */
export function ferretSuite(name: string, body: (ferret: () => FerretProcess) => void): void {
  const choice = process.env["STORES"];
  if (choice === "off" || !FerretProcess.isInstalled()) {
    const reason = choice === "off" ? "STORES=off" : `FerretDB is not installed (${installer} does it)`;
    if (choice !== "required") test(name, { skip: reason }, () => undefined);
    else {
      test(name, () => {
        throw new Error(`STORES=required, but ${reason}`);
      });
    }
    return;
  }
  describe(name, () => {
    let running: FerretProcess | undefined;
    before(async () => {
      running = await FerretProcess.open();
    });
    after(() => running?.dispose());
    body(() => {
      if (running === undefined) throw new Error("FerretDB does not run");
      return running;
    });
  });
}

/** An operator's own MongoDB, when its address is given. */
export function mongoUrlOfTests(): string | undefined {
  return process.env["MONGO_URL"] || undefined;
}
