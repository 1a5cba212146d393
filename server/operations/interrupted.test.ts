/** Operations that were under way when the server was killed, the device came anew or the store failed. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { StorageUnavailableError } from "../storage/collection.ts";
import { senmlValue } from "../testing/scripted-device.ts";
import { changed, operationsOfOne } from "./operations-fixture.ts";

const { one, stored, queued } = operationsOfOne();

describe("crash table (what was under way when the process was killed)", () => {
  /** Kills the server when the request reached the device and before its answer came back. */
  const killInFlight = async (line: string): Promise<void> => {
    one.world.network.filter = ({ to }) => to.port !== 5_683;
    await one.world.clock.advance(500);
    assert.deepEqual(one.device.asked, [line]);
    await one.world.kill();
    one.world.network.filter = () => true;
    await one.world.start();
    await one.world.clock.advance(1_000);
  };

  beforeEach(async () => {
    one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
    one.device.answers.set("POST /3/0/4", changed);
    one.device.answers.set("POST /3303", { code: ResponseCode.created, locationPath: ["3303", "7"] });
    await one.device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  });

  test("a Read is sent again and succeeds", async () => {
    const outcome = await one.world.create("dev-1", { kind: "read", path: "/3/0/9" });
    assert.ok(outcome.ok);
    await killInFlight("GET /3/0/9");
    assert.deepEqual(one.device.asked, ["GET /3/0/9", "GET /3/0/9"]);
    assert.equal((await stored(outcome.operation._id)).status, "succeeded");
  });

  test("an Execute and a Create are never sent again: outcome-unknown, one event", async () => {
    for (const [request, line] of [
      [{ kind: "execute", path: "/3/0/4" }, "POST /3/0/4"],
      [{ kind: "create", path: "/3303", value: { "5701": "Cel" } }, "POST /3303"],
    ] as const) {
      one.device.asked.length = 0;
      const outcome = await one.world.create("dev-1", request);
      assert.ok(outcome.ok);
      await killInFlight(line);
      await one.device.update();
      await one.world.clock.advance(200_000);
      assert.deepEqual(one.device.asked, [line]);
      const operation = await stored(outcome.operation._id);
      assert.deepEqual([operation.status, operation.reason], ["failed", "outcome-unknown"]);
    }
    assert.equal((await one.world.eventTypes("dev-1")).filter((type) => type === "operation.failed").length, 2);
  });

  test("with retryExecute it is sent again", async () => {
    const outcome = await one.world.create("dev-1", { kind: "execute", path: "/3/0/4", retryExecute: true });
    assert.ok(outcome.ok);
    await killInFlight("POST /3/0/4");
    assert.deepEqual(one.device.asked, ["POST /3/0/4", "POST /3/0/4"]);
    assert.equal((await stored(outcome.operation._id)).status, "succeeded");
  });
});

test("as Eclipse Leshan tests it: a request under way when the device registers anew is taken back and asked again; an Execute is not", async () => {
  await one.device.register();
  one.world.network.filter = ({ from }) => from.port !== 5_683;
  const read = await queued({ kind: "read", path: "/3/0/9" });
  await one.world.clock.advance(1_000);
  one.world.network.filter = () => true;
  one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
  await one.device.restart();
  await one.device.register();
  await one.world.clock.advance(1_000);
  const operation = await stored(read._id);
  assert.equal(operation.status, "succeeded");
  assert.deepEqual(
    operation.attempts.map(({ outcome }) => outcome),
    ["interrupted", "2.05"],
  );
});

describe("a store that fails while an operation is under way", () => {
  for (const [request, line, repeated] of [
    [{ kind: "read", path: "/3/0/9" }, "GET /3/0/9", true],
    [{ kind: "execute", path: "/3/0/4" }, "POST /3/0/4", false],
  ] as const) {
    test(`${request.kind}: ${repeated ? "sent again" : "outcome-unknown"} once the store is back, without a restart`, async () => {
      await one.device.register({ query: ["lt=86400", "lwm2m=1.1"] });
      one.device.answers.set("GET /3/0/9", senmlValue("/3/0/9", 87));
      one.device.answers.set("POST /3/0/4", () => {
        one.world.store.fail(new StorageUnavailableError("gone"));
        return changed;
      });
      one.device.answers.set("GET /3/0/9", () => {
        if (one.device.asked.length === 1) one.world.store.fail(new StorageUnavailableError("gone"));
        return senmlValue("/3/0/9", 87);
      });
      const operation = await queued(request);
      await one.world.clock.advance(900);
      one.world.store.fail(undefined);
      await one.world.clock.advance(5_000);
      assert.deepEqual(one.device.asked, repeated ? [line, line] : [line]);
      const ended = await stored(operation._id);
      assert.deepEqual([ended.status, ended.reason], repeated ? ["succeeded", null] : ["failed", "outcome-unknown"]);
      assert.ok(one.world.server.failures.length > 0, "it was logged");
      await one.world.stop();
      await one.world.start();
    });
  }
});
