import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ownSubscriptions } from "./owned-subscriptions.ts";

test("a subscription nobody waits for may fail; who waits hears of it", async () => {
  const unheard: unknown[] = [];
  const listen = (error: unknown): void => void unheard.push(error);
  process.on("unhandledRejection", listen);
  const connection = {
    named: "redis",
    subscribe(channel: string) {
      return Promise.reject(new Error(`${this.named}, ${channel}: Connection is closed.`));
    },
  };
  ownSubscriptions(connection);
  void connection.subscribe("delayed");
  await assert.rejects(connection.subscribe("other"), /^Error: redis, other: Connection is closed/);
  await nextTurn();
  process.off("unhandledRejection", listen);
  assert.deepEqual(unheard, []);
});
