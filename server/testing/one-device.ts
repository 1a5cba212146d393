/** For a test file: each test has a world of its own with one scripted device in it. */
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { type Rest, restOfRunning } from "./rest.ts";
import { type DeviceScript, ScriptedDevice } from "./scripted-device.ts";
import { ServerWorld } from "./server-world.ts";

export interface OneDevice {
  /** Of the test that runs, as what follows. */
  readonly world: ServerWorld;
  readonly device: ScriptedDevice;
  /** Of the server that runs. */
  readonly rest: Rest;
}

/** To be called where the tests are declared. Each must end without a failure in the background and without a timer. */
export function oneDevice(script: DeviceScript = {}): OneDevice {
  let world: ServerWorld;
  let device: ScriptedDevice;

  beforeEach(async () => {
    world = await ServerWorld.open();
    device = new ScriptedDevice(world, script);
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  return {
    get world() {
      return world;
    },
    get device() {
      return device;
    },
    rest: restOfRunning(() => world),
  };
}
