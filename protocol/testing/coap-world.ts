/** Endpoints and scripted peers on one virtual network: what tests of CoAP start from. */
import assert from "node:assert/strict";
import { type CoapCounters, createCoapCounters } from "../coap/counters.ts";
import { type EndpointSettings, openCoapEndpoint } from "../coap/endpoint.ts";
import type { CoapEndpoint } from "../coap/endpoint-contract.ts";
import { type LinkConditions, MemoryNetwork } from "./memory-network.ts";
import { ScriptedPeer } from "./scripted-peer.ts";
import { seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const serverAddress = { address: "10.0.0.1", port: 5_683 };
export const deviceAddress = { address: "10.0.0.2", port: 40_000 };

export interface World {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  /** Counters of the endpoint opened last. */
  counters: CoapCounters;
  /** What `onBug` was told. */
  readonly bugs: unknown[];
  endpoint(address?: { address: string; port: number }, settings?: Partial<EndpointSettings>): CoapEndpoint;
  scripted(address?: { address: string; port: number }, to?: { address: string; port: number }): ScriptedPeer;
  /** Closes everything and checks that no timer is left and nothing unexpected was reported. */
  end(expectedBugs?: number): Promise<void>;
}

export function openWorld(seed = 1, conditions: Partial<LinkConditions> = {}): World {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock, seededRandom(seed), conditions);
  const opened: CoapEndpoint[] = [];
  const world: World = {
    clock,
    network,
    counters: createCoapCounters(),
    bugs: [],
    endpoint(address = serverAddress, settings = {}) {
      world.counters = createCoapCounters();
      const endpoint = openCoapEndpoint({
        socket: network.socket(address),
        clock,
        random: seededRandom(seed * 31 + opened.length),
        counters: world.counters,
        onBug: (error) => world.bugs.push(error),
        ...settings,
      });
      opened.push(endpoint);
      return endpoint;
    },
    scripted: (address = deviceAddress, to = serverAddress) => new ScriptedPeer(network, clock, address, to),
    async end(expectedBugs = 0) {
      for (const endpoint of opened) await endpoint.close();
      network.close();
      assert.equal(clock.pendingTimers(), 0, "a timer is left");
      assert.equal(world.bugs.length, expectedBugs, `bugs reported: ${world.bugs.map(String).join("; ")}`);
    },
  };
  return world;
}
