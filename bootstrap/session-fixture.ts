/** A bootstrap server, and devices that do as a test says. */
import assert from "node:assert/strict";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { typeLookup } from "@lwm2m/object-registry/type-lookup";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type BootstrapServiceDeps, openBootstrapService, type SessionNotice } from "./bootstrap-service.ts";
import { readConfigFile } from "./config-file.ts";
import { aConfig, aSecurity, aServer } from "./testing/config-fixtures.ts";
import { type DeviceScript, ScriptedDevice, text } from "./testing/scripted-device.ts";

const typeOf = typeLookup(openCatalogue(), [], "1.1");
const numbered = aConfig({ deletes: ["/1"], security: [aSecurity({ instanceId: 1 })], servers: [aServer({ instanceId: 0 })] });
const long = aConfig({ deletes: ["/1/0", "/1/1", "/1/2", "/1/3", "/1/4", "/1/5", "/1/6", "/1/7"] });
const psk = aSecurity({ serverUri: "coaps://a:5684", mode: "psk", identity: "dev3", secretKey: "a2V5a2V5" });

/** A server, the devices a test asks for, and after it the proof that nothing was left open. */
export async function inWorld(
  run: (world: {
    clock: VirtualClock;
    notices: SessionNotice[];
    device: (script: DeviceScript) => ScriptedDevice;
    stop: () => Promise<void>;
    /** Its connection is gone. */
    lose: (device: ScriptedDevice) => void;
  }) => Promise<void>,
  settings: Pick<BootstrapServiceDeps, "linkOf" | "maxSessions" | "strict" | "onTolerated" | "admit"> = {},
): Promise<void> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock, seededRandom(1));
  const address = { address: "192.0.2.1", port: 5783 };
  const bugs: unknown[] = [];
  const endpoint = openCoapEndpoint({ socket: network.socket(address), clock, random: seededRandom(2), onBug: (bug) => bugs.push(bug) });
  const file = readConfigFile(JSON.stringify({ dev1: numbered, dev2: aConfig(), dev3: aConfig({ security: [psk] }), dev4: long }));
  if (!file.ok) throw new Error(JSON.stringify(file.faults));
  const notices: SessionNotice[] = [];
  const service = openBootstrapService({
    endpoint,
    configs: file.configs,
    clock,
    typeOf,
    onSession: (notice) => notices.push(notice),
    ...settings,
  });
  const devices: ScriptedDevice[] = [];
  const device = (script: DeviceScript): ScriptedDevice => {
    const made = new ScriptedDevice(network.socket({ address: "192.0.2.9", port: 0 }), address, script);
    devices.push(made);
    return made;
  };
  try {
    await run({ clock, notices, device, stop: () => service.close(), lose: ({ local }) => service.noteLost(endpoint.peerAt(local).key) });
  } finally {
    await clock.until(Promise.all([service.close(), endpoint.close(), ...devices.map((made) => made.close())]).then(() => {}));
    network.close();
  }
  assert.deepEqual(bugs, []);
  assert.equal(clock.pendingTimers(), 0);
}

export const obedient: DeviceScript = ({ line }) => {
  if (line.startsWith("DELETE")) return { code: "2.02" };
  if (line.startsWith("GET"))
    return { code: "2.05", contentFormat: 40, payload: text('</>;lwm2m=1.1,</0/0>,</0/1>;ssid=7;uri="coap://old"') };
  return { code: "2.04" };
};

export const kinds = (notices: readonly SessionNotice[]): readonly string[] =>
  notices.map((notice) => {
    if (notice.kind === "answered") return `${notice.request} ${notice.code}`;
    if (notice.kind === "failed") return `failed ${notice.reason}`;
    return notice.kind;
  });
