/** Standing observations in tests: devices that have a temperature, wishes for it, and how they stand. */
import assert from "node:assert/strict";
import type { Json } from "../storage/collection.ts";
import { at, type Rest } from "../testing/rest.ts";
import { type RestFleet, restFleet } from "../testing/rest-fleet.ts";
import { type ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import type { StandingDevice } from "./standing.ts";

export const path = "/3303/0/5700";
export const ask = `GET ${path} observe 0`;
export const cancel = `GET ${path} observe 1`;
export const minuteMs = 60_000;

export interface StandingFleet {
  readonly fleet: RestFleet;
  readonly rest: Rest;
  register(endpoint: string, query?: readonly string[]): Promise<ScriptedDevice>;
  /** Makes a standing observation, and lets a second pass; its id. */
  post(body: Json): Promise<string>;
  /** Makes a group; its id. */
  group(body: Json): Promise<string>;
  deviceOf(id: string, endpoint: string): Promise<StandingDevice | undefined>;
  stateOf(id: string, endpoint: string): Promise<StandingDevice["state"] | undefined>;
  /** Of all its devices, in words. */
  statesOf(id: string): Promise<readonly string[]>;
  countsOf(id: string): Promise<Json | undefined>;
  /** The server is killed, and starts again. */
  restart(): Promise<void>;
}

/** To be called where the tests are declared. */
export function standingFleet(): StandingFleet {
  const fleet = restFleet();
  const { rest } = fleet;
  const make = async (address: string, body: Json): Promise<string> => {
    const created = await rest("POST", address, { body });
    assert.equal(created.status, 201, JSON.stringify(created.body));
    return String(at(created.body, "id"));
  };
  const devicesOf = (id: string) => fleet.world.until(fleet.world.server.standings.devices(id, { limit: 1_000 }));
  const deviceOf = async (id: string, endpoint: string) => (await devicesOf(id)).find((each) => each.endpoint === endpoint);
  return {
    fleet,
    rest,
    register: (endpoint, query = ["lt=864000", "lwm2m=1.1", "b=U"]) =>
      fleet.register(endpoint, query, ({ answers }) => answers.set(`GET ${path}`, senmlValue(path, 20.5))),
    async post(body) {
      const id = await make("/observations", body);
      await fleet.world.clock.advance(1_000);
      return id;
    },
    group: (body) => make("/groups", body),
    deviceOf,
    stateOf: async (id, endpoint) => (await deviceOf(id, endpoint))?.state,
    statesOf: async (id) => (await devicesOf(id)).map(({ endpoint, state }) => `${endpoint} ${state}`),
    countsOf: async (id) => at((await rest("GET", `/observations/${id}`)).body, "devices"),
    async restart() {
      await fleet.world.kill();
      await fleet.world.start();
      await fleet.world.clock.advance(1_000);
    },
  };
}
