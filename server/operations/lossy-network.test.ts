import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { finalStatuses } from "./operation.ts";

test("a link that loses, doubles and reorders, and a server that is killed: every operation ends, no Execute happens twice", async () => {
  const world = await ServerWorld.open();
  const device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U"] });
  const executed: string[] = [];
  device.answers.set("POST /3/0/4", (request) => {
    executed.push(new TextDecoder().decode(request.payload));
    return { code: ResponseCode.changed };
  });
  device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  await device.register();
  world.network.conditions = { delayMs: 50, loss: 0.25, duplication: 0.2, reordering: 0.3 };
  const ids: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    for (const request of [
      { kind: "execute", path: "/3/0/4", arguments: `1='${round}'` } as const,
      { kind: "read", path: "/3/0/9" } as const,
    ]) {
      const outcome = await world.create("dev-1", request);
      assert.ok(outcome.ok);
      ids.push(outcome.operation._id);
    }
    await world.clock.advance(world.random.integer(4_000));
    if (round % 3 === 2) {
      await world.kill();
      await world.start();
    }
  }
  await world.clock.advance(3_600_000);
  assert.equal(new Set(executed).size, executed.length, `executed twice: ${executed}`);
  const operations = await Promise.all(ids.map((id) => world.until(world.server.operations.find(id))));
  for (const operation of operations)
    assert.ok(finalStatuses.includes(operation?.status ?? "queued"), `${operation?.kind} ${operation?.status}`);
  // What is reported as done was done; what is unknown may have been.
  for (const [index, operation] of operations.entries()) {
    if (operation?.kind !== "execute") continue;
    if (operation.status === "succeeded") assert.ok(executed.includes(`1='${index / 2}'`), `${index}`);
    else assert.equal(operation.reason, "outcome-unknown");
  }
  assert.ok(operations.filter((operation) => operation?.status === "succeeded").length > 10);
  const ends = (await world.eventTypes("dev-1")).filter((type) => /operation\.(succeeded|failed)/.test(type));
  assert.equal(ends.length, ids.length, "one end each, none missing, none doubled");
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
});
