/** What the planner of wake-ups saves: 1,000 sleepy devices with mixed queues, exchanges and bytes with it and one by one. Counts, not times. */
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { operationServiceLimits } from "../operations/operation-limits.ts";
import { wakeUpFleet } from "./sleepy-fleet.ts";
import { wakeUpTrace } from "./wake-up-trace.ts";

export async function bench(_options: BenchOptions): Promise<Figure[]> {
  const trace = wakeUpTrace();
  const planned = await wakeUpFleet(trace, operationServiceLimits.mostTogether);
  const apart = await wakeUpFleet(trace, 1);
  if (planned.succeeded !== apart.succeeded) throw new Error(`${planned.succeeded} operations succeed together, ${apart.succeeded} apart`);
  const figure = (name: "exchanges" | "bytes" | "datagrams", unit: string): Figure => ({
    bench: "wake-up-plan",
    figure: `${name} per wake-up of ${trace.length} devices with ${planned.operations} operations, ${rounded(apart[name] / trace.length)} one by one`,
    value: rounded(planned[name] / trace.length),
    unit,
    against: "one-by-one",
    ratio: rounded(apart[name] / planned[name]),
  });
  return [figure("exchanges", "exchanges"), figure("bytes", "bytes"), figure("datagrams", "datagrams")];
}
