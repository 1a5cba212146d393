import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { Json } from "../storage/collection.ts";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

const temperature = "/3303/0/5700";
const battery = "/3/0/9";

let world: ServerWorld;
let device: ScriptedDevice;

interface Record {
  readonly n: string;
  readonly v: number;
  /** Seconds from now; absent: the record has no time. */
  readonly ago?: number;
}

const senml = (records: readonly Record[], nowMs: number): string =>
  JSON.stringify(records.map(({ n, v, ago }) => ({ n, v, ...(ago === undefined ? {} : { t: nowMs / 1_000 - ago }) })));

/** Times are counted from `nowMs`: a repetition says the same bytes again. */
async function send(records: readonly Record[], nowMs = world.clock.now()): Promise<void> {
  const payload = bytes(senml(records, nowMs));
  const { code } = await device.send({ method: Method.post, path: ["dp"], contentFormat: ContentFormat.senmlJson, payload });
  assert.equal(code, ResponseCode.changed);
}

async function notify(path: string, records: readonly Record[], nowMs = world.clock.now()): Promise<void> {
  assert.deepEqual(await world.until(device.notify(path, content(senml(records, nowMs)))), { ok: true });
}

const known = async (path: string): Promise<Json | undefined> => (await world.until(world.server.twins.find("dev-1")))?.values[path]?.value;

async function history(path: string): Promise<readonly Json[]> {
  const range = { endpoint: "dev-1", path, fromMs: 0, toMs: world.clock.now() + 1e9, limit: 100 };
  return (await world.until(world.server.twins.history(range))).map(({ value }) => value);
}

const told = async (): Promise<number> => (await world.eventTypes("dev-1")).filter((type) => type === "resource.changed").length;
const rev = async (): Promise<number | undefined> => (await world.until(world.server.twins.find("dev-1")))?.rev;

describe("late and repeated data", () => {
  beforeEach(async () => {
    world = await ServerWorld.open();
    device = new ScriptedDevice(world);
    await device.register({ query: ["lt=86400", "lwm2m=1.1"] });
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  test("RFC 8428 §4.5.3: a batch with its own times: all in the history, the newest is known, in whatever order it comes", async () => {
    await send([
      { n: temperature, v: 2, ago: 20 },
      { n: temperature, v: 3, ago: 10 },
      { n: temperature, v: 1, ago: 30 },
    ]);
    assert.deepEqual([await known(temperature), await history(temperature)], [3, [1, 2, 3]]);
  });

  test("a Send repeated in a new message: each point is stored once, the twin is not touched, nothing is told twice", async () => {
    const records = [
      { n: temperature, v: 1, ago: 30 },
      { n: temperature, v: 2, ago: 20 },
    ];
    const nowMs = world.clock.now();
    await send(records, nowMs);
    const before = [await rev(), await told()];
    await world.clock.advance(5_000);
    await send(records, nowMs);
    assert.deepEqual([await history(temperature), await known(temperature)], [[1, 2], 2]);
    assert.deepEqual([await rev(), await told()], before);
  });

  test("historical values that come late are history, and no news; another value of the same time is the last one said", async () => {
    await send([{ n: temperature, v: 5, ago: 0 }]);
    const before = await told();
    await send([
      { n: temperature, v: 1, ago: 3_600 },
      { n: temperature, v: 2, ago: 1_800 },
    ]);
    assert.deepEqual([await known(temperature), await history(temperature), await told()], [5, [1, 2, 5], before]);
    const nowMs = world.clock.now();
    await send([{ n: temperature, v: 6, ago: 0 }], nowMs);
    await send([{ n: temperature, v: 7, ago: 0 }], nowMs);
    assert.deepEqual([await known(temperature), await history(temperature)], [7, [1, 2, 5, 7]]);
  });

  test("a clock that is ahead: its value is taken for one of now, so that those after it are not late; the history has its own time", async () => {
    await send([
      { n: temperature, v: 9, ago: -86_400 },
      { n: temperature, v: 8, ago: -90_000 },
    ]);
    assert.equal(await known(temperature), 8, "the later one of both");
    await world.clock.advance(1_000);
    await send([{ n: temperature, v: 3 }]);
    assert.deepEqual([await known(temperature), await history(temperature)], [3, [3, 9, 8]]);
  });

  test("LwM2M Core 1.2 §6.4.3: a notification with its own time: late, it changes nothing; repeated, it is one", async () => {
    device.answers.set(`GET ${temperature}`, senmlValue(temperature, 20));
    await world.carryOut("dev-1", { kind: "observe", path: temperature });
    await world.clock.advance(60_000);
    await notify(temperature, [{ n: temperature, v: 21, ago: 0 }]);
    await notify(temperature, [{ n: temperature, v: 18, ago: 30 }]);
    assert.deepEqual([await known(temperature), await history(temperature)], [21, [20, 18, 21]]);
    const nowMs = world.clock.now();
    await notify(temperature, [{ n: temperature, v: 22, ago: 0 }], nowMs);
    const before = [await rev(), await told()];
    await notify(temperature, [{ n: temperature, v: 22, ago: 0 }], nowMs);
    assert.deepEqual([await history(temperature), await rev(), await told()], [[20, 18, 21, 22], ...before]);
  });

  test("LwM2M Core 1.1 §6.4.3: an old composite notification takes away nothing that became known since", async () => {
    const paths = [temperature, battery];
    device.answers.set(
      "FETCH /",
      content(
        senml(
          [
            { n: temperature, v: 20 },
            { n: battery, v: 90 },
          ],
          0,
        ),
      ),
    );
    const observed = await world.carryOut("dev-1", { kind: "observeComposite", path: "/", paths });
    assert.equal(observed.status, "succeeded");
    await world.clock.advance(60_000);
    await notify("/", [
      { n: temperature, v: 21, ago: 0 },
      { n: battery, v: 80, ago: 0 },
    ]);
    await notify("/", [{ n: temperature, v: 15, ago: 30 }]);
    assert.deepEqual([await known(temperature), await known(battery)], [21, 80]);
    await notify("/", [{ n: temperature, v: 22 }]);
    assert.deepEqual([await known(temperature), await known(battery)], [22, undefined], "a new one is complete");
  });
});
