/** A light fleet and a server that a test scripts, on a memory network and a virtual clock. */
import assert from "node:assert/strict";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingResponse, Peer } from "@lwm2m/protocol/coap/message";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type LightFleet, type LightFleetOptions, openLightFleet } from "../fleet/light-fleet.ts";

export interface FleetWorld {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly server: CoapEndpoint;
  readonly fleet: LightFleet;
  /** The requests of the fleet: the second, the code and the path with its query. */
  readonly seen: string[];
  /** Where each endpoint name registered from. */
  readonly peers: Map<string, Peer>;
  /** In place of the usual answer; undefined: as usual. */
  answer: (request: IncomingRequest) => OutgoingResponse | undefined;
  close(): Promise<void>;
}

export const serverAddress = { address: "192.0.2.1", port: 5_683 };

export async function openFleetWorld(options: Partial<LightFleetOptions> = {}): Promise<FleetWorld> {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const network = new MemoryNetwork(clock, random);
  const server = openCoapEndpoint({ socket: network.socket(serverAddress), clock, random });
  const startedAt = clock.now();
  const fleet = await openLightFleet({
    ...{ devices: 10, prefix: "light", server: serverAddress, lifetimeSeconds: 86_400, awakeMs: undefined },
    ...{ registrationsPerSecond: 1_000, registrationsAtOnce: 100, clock, random, preciseMs: () => clock.now() },
    openSocket: async (index) => network.socket({ address: `198.51.100.${index}`, port: 40_000 }),
    onBug: (error) => assert.fail(String(error)),
    ...options,
  });
  const world: FleetWorld = {
    ...{ clock, network, server, fleet, seen: [], peers: new Map(), answer: () => undefined },
    async close() {
      await fleet.close();
      await server.close();
      network.close();
      assert.equal(clock.pendingTimers(), 0);
    },
  };
  server.handle((request) => {
    const query = request.query.length === 0 ? "" : `?${request.query.join("&")}`;
    world.seen.push(`${Math.floor((clock.now() - startedAt) / 1_000)}s ${request.method} /${request.path.join("/")}${query}`);
    return world.answer(request) ?? usualAnswer(world, request);
  });
  return world;
}

function usualAnswer({ peers }: FleetWorld, { method, path, query, peer }: IncomingRequest): OutgoingResponse {
  if (method !== Method.post) return { code: ResponseCode.methodNotAllowed };
  if (path.length > 1 || path[0] === "dp") return { code: ResponseCode.changed };
  const name = query.find((argument) => argument.startsWith("ep="))?.slice("ep=".length) ?? "";
  peers.set(name, peer);
  return { code: ResponseCode.created, locationPath: ["rd", name] };
}
