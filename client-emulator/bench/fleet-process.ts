/**
 * A light fleet as a process of its own, for benches: `fleet-process.js OPTIONS`, as JSON, then orders over the channel to the parent, one at a
 * time, each answered with the report so far.
 */
import { settledHeapBytes } from "@lwm2m/protocol/platform/settled-heap";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import type { Rates } from "../fleet/fleet-load.ts";
import type { FleetReport } from "../fleet/fleet-report.ts";
import { type LightFleetOptions, openLightFleet } from "../fleet/light-fleet.ts";
import { openFleetSocket } from "../platform/fleet-socket.ts";
import { preciseMs } from "../platform/precise-time.ts";

export type FleetProcessOptions = Pick<LightFleetOptions, "devices" | "prefix" | "registrationsAtOnce"> & {
  readonly port: number;
  /** Undefined: as fast as `registrationsAtOnce` allows. */
  readonly registrationsPerSecond?: number;
};

export type FleetOrder =
  | { readonly kind: "register" }
  | { readonly kind: "pace"; readonly rates: Rates; readonly ms: number }
  | { readonly kind: "press"; readonly what: "register" | "update" | "send"; readonly atOnce: number; readonly ms: number };

export interface FleetAnswer {
  /** Of this order alone, but for the datagrams. */
  readonly report: FleetReport;
  readonly seconds: number;
  /** Of all threads: near `seconds` it was the fleet that ran out of CPU. */
  readonly cpuSeconds: number;
  /** JavaScript heap per device, sockets included; only after the order to register: a collection takes its time. */
  readonly heapBytesPerDevice: number | null;
  readonly rssBytesPerDevice: number;
}

const options: FleetProcessOptions = JSON.parse(process.argv[2] ?? "{}");
const { devices, prefix, port, registrationsAtOnce, registrationsPerSecond = Number.POSITIVE_INFINITY } = options;
const before = { heap: settledHeapBytes(), rss: process.memoryUsage.rss() };
const fleet = await openLightFleet({
  ...{ devices, prefix, registrationsAtOnce, registrationsPerSecond, preciseMs, awakeMs: undefined },
  server: { address: "127.0.0.1", port },
  lifetimeSeconds: 86_400,
  ...{ clock: systemClock, random: systemRandom, openSocket: openFleetSocket },
  onBug: (error) => {
    throw error;
  },
});
process.on("disconnect", () => process.exit(0));
process.on("message", (order: FleetOrder) => void obey(order));
process.send?.("ready");

async function obey(order: FleetOrder): Promise<void> {
  fleet.clear();
  const cpu = process.cpuUsage();
  const startedAt = preciseMs();
  if (order.kind === "register") await fleet.register();
  else if (order.kind === "pace") await fleet.pace(order.rates, order.ms);
  else await fleet.press(order.what, order.atOnce, order.ms);
  const seconds = (preciseMs() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const answer: FleetAnswer = {
    report: fleet.report(),
    seconds,
    cpuSeconds: (user + system) / 1e6,
    heapBytesPerDevice: order.kind === "register" ? (settledHeapBytes() - before.heap) / devices : null,
    rssBytesPerDevice: (process.memoryUsage.rss() - before.rss) / devices,
  };
  process.send?.(answer);
}
