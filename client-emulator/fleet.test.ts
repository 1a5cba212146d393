import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { usualSettings } from "./client-options.ts";
import { openFleet } from "./fleet.ts";
import { derivePsk } from "./security/derived-psk.ts";
import { pskCredential } from "./security/security-credential.ts";
import { openSecureWorld, secureUri } from "./testing/secure-world.ts";
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

test("fleet: each device with its own derived key over DTLS", async () => {
  const keyOf = (endpointName: string) => derivePsk("a secret for everybody", "urn:f:", endpointName);
  const findPsk = (asked: Uint8Array) => {
    const identity = new TextDecoder().decode(asked);
    return identity.startsWith("urn:f:f-") ? keyOf(identity.slice("urn:f:".length)).key : undefined;
  };
  const world = await openSecureWorld({ findPsk });
  const { clock, network, server } = world;
  const fleet = openFleet({
    devices: 5,
    prefix: "f",
    rampMs: 1_000,
    serverUri: secureUri,
    credentialOf: (name) => pskCredential(keyOf(name).identity, keyOf(name).key),
    settings: { ...usualSettings, sensorIntervalSeconds: 0 },
    registry: openCatalogue(),
    clock,
    random: seededRandom(4),
    openSocket: async () => network.socket({ address: "198.51.100.7", port: 0 }),
    resolveHost: async (host) => host,
    onProblem: (problem) => assert.fail(problem),
  });
  await clock.advance(5_000);
  assert.match(fleet.report(), /^5 of 5 started, 5 registered/);
  await clock.until(fleet.close());
  assert.equal(server.seen.filter((line) => line.includes("DELETE")).length, 5);
  await world.close();
});
