/** Suites on a real Redis: skipped by name where there is none, failed where STORES=required says there has to be. */
import { test } from "node:test";
import { RedisProcess } from "./redis-process.ts";

export function redisSuite(name: string, body: () => void): void {
  const choice = process.env["STORES"];
  const isOff = choice === "off";
  if (!isOff && RedisProcess.isInstalled()) {
    body();
    return;
  }
  const reason = isOff ? "STORES=off" : "redis-server is not installed (conformance-tests/interop/peers/stores/install.sh does it)";
  if (choice === "required") {
    test(name, () => {
      throw new Error(`STORES=required, but ${reason}`);
    });
  } else test(name, { skip: `${reason}; STORES=required makes this a failure` }, () => undefined);
}
