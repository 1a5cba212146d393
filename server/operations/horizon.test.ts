import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { at, restOf } from "../testing/rest.ts";
import { ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { withinHorizon } from "./horizon.ts";
import type { Operation, OperationKind } from "./operation.ts";

const limits = { oldest: 3, urgent: 4 };

/** `"9 write /3/0/14"`: priority, kind, path; by order of creation. */
function operations(...texts: readonly string[]): readonly Operation[] {
  return texts.map((text, number) => {
    const [priority = "5", kind = "read", path = "/"] = text.split(" ");
    const whole = { _id: String.fromCharCode(97 + number), kind: kind as OperationKind, path, priority: Number(priority) };
    return whole as unknown as Operation;
  });
}

const idsOf = (found: readonly Operation[]): string => found.map(({ _id }) => _id).join("");
const filler = ["5 read /3/0/0", "5 read /3/0/1", "5 read /3/0/2"];

const table: readonly (readonly [string, readonly string[], string])[] = [
  ["as many as the horizon: all", filler, "abc"],
  ["nothing more urgent behind it: the oldest", [...filler, "5 read /3/0/9", "4 read /3/0/10"], "abc"],
  ["what is more urgent comes along", [...filler, "5 read /3/0/9", "6 read /3/0/10", "9 read /3/0/11"], "abcef"],
  ["more urgent than any of the oldest is enough", ["5 read /3/0/0", "1 read /3/0/1", "5 read /3/0/2", "4 read /3/0/3"], "abcd"],
  ["what has to come before it comes too", [...filler, "1 write /3/0/14", "1 write /3/0/15", "9 read /3/0/14"], "abcdf"],
  ["and what has to come before that", [...filler, "1 delete /3303/1", "1 create /3303", "9 read /3303/2"], "abcdef"],
  ["a look overtakes a look", [...filler, "1 read /3/0", "9 read /3/0/14"], "abce"],
  ["an Execute has to do with its whole instance", [...filler, "1 execute /3/0/4", "9 read /3/0/14", "9 read /1/0/1"], "abcdef"],
  ["what acts on everything precedes all", [...filler, "1 writeComposite /", "9 read /3/0/14"], "abcde"],
  [
    "the most urgent first, while there is room",
    [...filler, ..."6789".split("").map((one) => `${one} read /3/0/9`), "9 read /3/0/1"],
    "abcefgh",
  ],
  [
    "whose forerunners are too many waits",
    [...filler, ..."11111".split("").map((one) => `${one} write /3/0/14`), "9 read /3/0/14", "8 read /1/0/1"],
    "abcj",
  ],
];

describe("LwM2M Core 1.1 §6.5: what one wake-up looks at of very many operations", () => {
  for (const [title, texts, expected] of table) {
    test(title, () => assert.equal(idsOf(withinHorizon(operations(...texts), limits)), expected));
  }

  test("5,000 writes of one resource: decided at once", () => {
    const many = Array.from({ length: 5_000 }, (_, number) => ({
      ...{ _id: String(number).padStart(4, "0"), kind: "write", path: "/3/0/14", priority: number > 4_900 ? 9 : 5 },
    })) as unknown as readonly Operation[];
    assert.equal(withinHorizon(many, { oldest: 1_000, urgent: 250 }).length, 1_000);
  });

  test("GET queue: the urgent operation behind a thousand is first in the plan, and the reply says how many are not looked at", async () => {
    const world = await ServerWorld.open({ maxQueuedPerDevice: 2_000 });
    const device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
    await device.register();
    await world.clock.advance(100_000);
    const write = (path: string, value: string, priority: number) => world.create("dev-1", { kind: "write", path, value, priority });
    const by = { actor: "test", traceId: "0".repeat(32) };
    const many = Array.from({ length: 1_010 }, (_, number) =>
      world.server.operations.create("dev-1", { kind: "write", path: "/3/0/14", value: `+0${number % 10}:00` }, by),
    );
    assert.ok((await world.until(Promise.all(many))).every(({ ok }) => ok));
    const before = await write("/3/0/15", "Europe/Paris", 1);
    const urgent = await write("/3/0/15", "Europe/Rome", 9);
    assert.ok(before.ok && urgent.ok);
    const queue = await restOf(world)("GET", "/devices/dev-1/queue?limit=2");
    assert.equal(queue.status, 200, JSON.stringify(queue.body).slice(0, 500));
    assert.equal(at(queue.body, "behind"), 10);
    assert.deepEqual([at(queue.body, "items", 0, "id"), at(queue.body, "items", 1, "id")], [before.operation._id, urgent.operation._id]);
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
  });
});
