/** A server world with one device that takes firmware, and the updates of it. */
import assert from "node:assert/strict";
import type { FirmwarePackage } from "../firmware/package.ts";
import { type FirmwareUpdate, finalStates, type UpdateState } from "../firmware/update.ts";
import type { CancelOutcome } from "../firmware/update-service.ts";
import { FirmwareDevice } from "./firmware-device.ts";
import { ServerWorld, serverAddress } from "./server-world.ts";

export const image = new Uint8Array(5_000).map((_, index) => index % 251);

const by = { actor: "test", traceId: "0".repeat(32) };

/** A datagram as faults look at it. */
export interface Passing {
  readonly fromServer: boolean;
  /** Byte 1 of a CoAP message: 0x02 is POST, 0x44 is 2.04. */
  readonly code: number | undefined;
  readonly sizeBytes: number;
}

export class FirmwareWorld {
  readonly world: ServerWorld;
  readonly device: FirmwareDevice;
  #pack: FirmwarePackage | undefined;

  private constructor(world: ServerWorld) {
    this.world = world;
    this.device = new FirmwareDevice(world);
  }

  static async open(): Promise<FirmwareWorld> {
    return new FirmwareWorld(await ServerWorld.open());
  }

  async close(): Promise<void> {
    const { world, device } = this;
    assert.deepEqual(world.server.failures, []);
    await device.close();
    await world.close();
    assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
  }

  /** Starts an update of the device to version 2.0. */
  async start(expiresAt?: number): Promise<string> {
    const { packages, updates } = this.world.server;
    const facts = { name: "sensor", version: "2.0", createdBy: "test" };
    if (this.#pack === undefined) {
      const added = await this.world.until(packages.add(facts, inOne(image)));
      assert.ok(added.ok);
      this.#pack = added.package;
    }
    const limit = expiresAt === undefined ? {} : { expiresAt };
    const outcome = await this.world.until(updates.start({ endpoint: "dev-1", package: this.#pack, ...by, ...limit }));
    assert.ok(outcome.ok);
    return outcome.update._id;
  }

  cancel(id: string): Promise<CancelOutcome> {
    return this.world.until(this.world.server.updates.cancel(id, by));
  }

  async find(id: string): Promise<FirmwareUpdate> {
    const update = await this.world.until(this.world.server.updates.find(id));
    assert.ok(update);
    return update;
  }

  /** Lets time pass until the update is in one of these states. */
  async reach(id: string, states: readonly UpdateState[], limitMs = 3_600_000): Promise<FirmwareUpdate> {
    for (let passed = 0; passed <= limitMs; ) {
      const update = await this.find(id);
      if (states.includes(update.state)) return update;
      // The first steps follow each other quickly, later ones take minutes.
      const stepMs = passed < 2_000 ? 10 : passed < 60_000 ? 100 : passed < 600_000 ? 1_000 : 10_000;
      await this.world.clock.advance(stepMs);
      passed += stepMs;
    }
    const { state, detail } = await this.find(id);
    assert.fail(`after ${limitMs} ms the update is still ${state} (${detail})`);
  }

  finish(id: string, limitMs?: number): Promise<FirmwareUpdate> {
    return this.reach(id, finalStates, limitMs);
  }

  /** The states that the event log tells of, in order. */
  async statesTold(): Promise<readonly unknown[]> {
    const events = await this.world.eventsOf("dev-1");
    return events.filter(({ type }) => type === "update.changed").map(({ data }) => Reflect.get(Object(data), "state"));
  }

  /** The network drops what matches, until it is told otherwise. */
  lose(matches: (datagram: Passing) => boolean): void {
    this.world.network.filter = ({ from, bytes }) =>
      !matches({ fromServer: from.port === serverAddress.port, code: bytes[1], sizeBytes: bytes.length });
  }

  /** Calls back with the nth whole block that the server hands out. */
  atBlock(nth: number, happen: () => void): void {
    let blocks = 0;
    this.lose(({ fromServer, sizeBytes }) => {
      if (fromServer && sizeBytes > 512 && ++blocks === nth) this.world.clock.after(0, happen);
      return false;
    });
  }
}

/** What a test expects of the end, in one line. */
export function summary({ state, failure, attempt }: FirmwareUpdate): readonly unknown[] {
  return [state, failure, attempt];
}

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
