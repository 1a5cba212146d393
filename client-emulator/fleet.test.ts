import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { usualSettings } from "./client-options.ts";
import { openFleet } from "./fleet.ts";
import { openWorld } from "./testing/world.ts";

test("fleet: starts over the ramp, keeps its registrations, and de-registers every device", async () => {
  const world = openWorld();
  const { clock, network, server } = world;
  const fleet = openFleet({
    devices: 20,
    prefix: "f",
    rampMs: 10_000,
    serverUri: "coap://192.0.2.1:5683",
    settings: { ...usualSettings, lifetimeSeconds: 60, sensorIntervalSeconds: 0 },
    registry: openCatalogue(),
    clock,
    random: seededRandom(4),
    openSocket: async () => network.socket({ address: "198.51.100.7", port: 0 }),
    resolveHost: async (host) => host,
    onProblem: (problem) => assert.fail(problem),
  });
  await clock.advance(5_200);
  assert.match(fleet.report(), /^11 of 20 started, 11 registered; so far 11 registrations, 0 updates/);
  await clock.advance(35_000);
  assert.match(fleet.report(), /^20 of 20 started, 20 registered; so far 20 registrations, 20 updates/);
  assert.equal(new Set(server.seen.flatMap((line) => /ep=(f-\d+)/.exec(line)?.[1] ?? [])).size, 20);
  await clock.until(fleet.close());
  assert.match(fleet.report(), / 0 registered;/);
  assert.equal(server.seen.filter((line) => line.includes("DELETE")).length, 20);
  await world.close();
});
