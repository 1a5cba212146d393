/** Emulated devices that sleep for hours, over days, behind links that lose, double and reorder and NATs that forget; and programs that do not care. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usualSettings } from "@lwm2m/client-emulator/client-options";
import { type Lwm2mClient, openLwm2mClient } from "@lwm2m/client-emulator/lwm2m-client";
import { setTemperature } from "@lwm2m/client-emulator/objects/temperature-object";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { SeededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { finalStatuses, type OperationRequest } from "@lwm2m/server/operations/operation";
import { isEveryKillTried } from "@lwm2m/server/testing/kills";
import { ServerWorld, serverAddress } from "@lwm2m/server/testing/server-world";

const temperature = "/3303/0/5700";
const reset = "/3303/0/5605";
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const days = 2;
const sleepSeconds = 3 * 3_600;

interface SleepyDevice {
  readonly endpoint: string;
  readonly client: Lwm2mClient;
  readonly local: SocketAddress;
  /** Executes it carried out. */
  executes: number;
}

async function openDevice(world: ServerWorld, n: number): Promise<SleepyDevice> {
  const local = { address: `198.51.100.${n}`, port: 40_000 };
  const endpoint = `sleepy-${n}`;
  let device: SleepyDevice | undefined;
  const client = await openLwm2mClient({
    endpointName: endpoint,
    serverUri: `coap://${serverAddress.address}:${serverAddress.port}`,
    registry: world.registry,
    clock: world.clock,
    random: world.random,
    openSocket: async () => world.network.socket(local),
    resolveHost: async (host) => host,
    log: (message, level) => {
      if (device !== undefined && level === "detail" && message.includes(`POST ${reset}`)) device.executes += 1;
    },
    onBug: (error) => world.report(`${endpoint}: ${error}`),
    settings: {
      ...usualSettings,
      ...{ queueMode: true, awakeSeconds: 60, sleepSeconds, lifetimeSeconds: 86_400, sensorIntervalSeconds: 0, confirmEvery: 1 },
    },
  });
  device = { endpoint, client, local, executes: 0 };
  return device;
}

/** What programs ask for, with no thought of who is awake. */
function anOrder(random: SeededRandom): OperationRequest {
  const orders: readonly OperationRequest[] = [
    { kind: "read", path: "/3/0" },
    { kind: "read", path: temperature },
    { kind: "write", path: "/3/0/14", value: "+02:00" },
    { kind: "write", path: "/1/0/1", value: 86_400 },
    { kind: "readComposite", path: "/", paths: ["/3/0/13", temperature] },
    { kind: "discover", path: "/3303" },
    { kind: "execute", path: reset },
  ];
  return random.pick(orders);
}

for (const seed of isEveryKillTried ? [1, 2, 3] : [1]) {
  test(`${days} days of sleep over bad links (seed ${seed}): every operation ends once, no Execute is repeated, every value arrives`, async () => {
    const world = await ServerWorld.open();
    const { clock, network, random } = world;
    for (let skipped = 0; skipped < seed; skipped++) random.fraction();
    network.conditions = { delayMs: 400, loss: 0.1, duplication: 0.05, reordering: 0.1 };
    const devices: SleepyDevice[] = [];
    for (let n = 1; n <= 4; n++) devices.push(await openDevice(world, n));
    await clock.advance(5 * minuteMs);
    for (const { endpoint } of devices) {
      const observed = await world.create(endpoint, { kind: "observe", path: temperature });
      assert.ok(observed.ok, `${endpoint} is not registered`);
    }

    let rebindings = 0;
    const ordered: { readonly id: string; readonly request: OperationRequest }[] = [];
    const reported = new Map(devices.map(({ endpoint }) => [endpoint, new Set<number>()]));
    for (let hour = 0; hour < days * 24; hour++) {
      for (const [n, device] of devices.entries()) {
        if (hour % 3 === n % 3) {
          const outcome = await world.create(device.endpoint, anOrder(random));
          if (outcome.ok) ordered.push({ id: outcome.operation._id, request: outcome.operation });
        }
        // Outside of the hours in which it is first asked to observe.
        if (hour >= 8) {
          const value = 20 + hour + n / 10;
          setTemperature(device.client.tree, 0, value);
          reported.get(device.endpoint)?.add(value);
        }
        // The NAT has forgotten it while it slept.
        if (hour % 12 === 5 && !device.client.isAwake()) {
          network.rebind(device.local, { address: `203.0.113.${n + 1}`, port: 50_000 + hour });
          rebindings += 1;
        }
      }
      await clock.advance(hourMs);
    }
    // The link gets better, and everyone wakes once more.
    network.conditions = { delayMs: 400, loss: 0, duplication: 0, reordering: 0 };
    await clock.advance(2 * sleepSeconds * 1_000);

    assert.ok(ordered.length > days * 24, `${ordered.length} operations`);
    const ends: readonly string[] = finalStatuses.map((status) => `operation.${status}`);
    let executesThatMayHave = 0;
    for (const { id, request } of ordered) {
      const operation = await world.until(world.server.operations.find(id));
      assert.ok(operation !== undefined && !operation.open, `${request.kind} ${id} is ${operation?.status}`);
      if (request.kind === "execute") executesThatMayHave += 1;
      else if (operation.status !== "succeeded") assert.equal(operation.reason, "no-answer", `${request.kind}: ${operation.detail}`);
    }
    const succeeded = await countOf(world, "operation.succeeded");
    assert.ok(succeeded > 0.8 * ordered.length, `${succeeded} of ${ordered.length} succeeded`);
    const executes = devices.reduce((sum, device) => sum + device.executes, 0);
    assert.ok(executes > 0 && executes <= executesThatMayHave, `${executes} of ${executesThatMayHave} Executes were carried out`);
    assert.ok(rebindings > 0, "no address changed");
    for (const { endpoint } of devices) {
      const events = await world.eventsOf(endpoint);
      assert.equal(new Set(events.map(({ sourceKey }) => sourceKey)).size, events.length, "an event is there twice");
      for (const { id } of ordered) {
        const told = events.filter(({ type, data }) => ends.includes(type) && Reflect.get(Object(data), "operationId") === id);
        assert.ok(told.length <= 1, `the end of ${id} is told ${told.length} times`);
      }
      const history = await world.until(
        world.server.twins.history({ endpoint, path: temperature, fromMs: 0, toMs: clock.now(), limit: 10_000 }),
      );
      const arrived = new Set(history.map(({ value }) => value));
      for (const value of reported.get(endpoint) ?? []) assert.ok(arrived.has(value), `${endpoint}: ${value} never arrived`);
    }
    assert.deepEqual(world.server.failures, []);
    for (const { client } of devices) await client.close("vanish");
    await world.close();
    assert.equal(clock.pendingTimers(), 0, "a timer is left");
  });
}

async function countOf(world: ServerWorld, type: string): Promise<number> {
  const events = await world.until(world.server.events.read({ after: "", limit: 10_000 }));
  return events.filter((event) => event.type === type).length;
}
