/** For a test file: each test has a world of its own, its REST addresses, and the devices that register in it. */
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { type Rest, restOfRunning } from "./rest.ts";
import { ScriptedDevice } from "./scripted-device.ts";
import { ServerWorld } from "./server-world.ts";

export interface RestFleet {
  /** Of the test that runs, as what follows. */
  readonly world: ServerWorld;
  /** In the order in which they came. */
  readonly devices: readonly ScriptedDevice[];
  /** Of the server that runs. */
  readonly rest: Rest;
  /** A new device at an address of its own; `prepare` before it says anything. */
  register(endpoint: string, query: readonly string[], prepare?: (device: ScriptedDevice) => void): Promise<ScriptedDevice>;
}

/** To be called where the tests are declared. Each must end without a failure in the background and without a timer. */
export function restFleet(): RestFleet {
  let world: ServerWorld;
  let devices: ScriptedDevice[];

  beforeEach(async () => {
    world = await ServerWorld.open();
    devices = [];
  });

  afterEach(async () => {
    assert.deepEqual(world.server.failures, []);
    for (const device of devices) await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  });

  return {
    get world() {
      return world;
    },
    get devices() {
      return devices;
    },
    rest: restOfRunning(() => world),
    async register(endpoint, query, prepare) {
      const address = { address: `10.0.1.${devices.length + 2}`, port: 56_830 };
      const device = new ScriptedDevice(world, { endpoint, address, query });
      prepare?.(device);
      devices.push(device);
      await device.register();
      return device;
    },
  };
}
