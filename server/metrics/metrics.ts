/** The server's numbers for Prometheus. What has counters of its own is read when it is asked for; names of devices are never labels. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { AllNumbers } from "../doors/door-http.ts";
import type { EventLog } from "../events/event.ts";
import { eventTypes } from "../events/event.ts";
import type { PutOff } from "../http/pressure-http.ts";
import type { Pressure } from "../storage/store-pressure.ts";

export interface MetricsSources {
  readonly pressure: () => Pressure;
  readonly putOff: () => PutOff;
  readonly doors: () => AllNumbers;
  readonly events: Pick<EventLog, "subscribe">;
}

export interface Metrics {
  readonly contentType: string;
  /** Prometheus text exposition format. */
  text(): Promise<string>;
}

const msPerSecond = 1_000;
const levels = { normal: 0, slow: 1, refusing: 2 } as const;

export function openMetrics(sources: MetricsSources): Metrics {
  const register = new Registry();
  // Event loop, heap, collections, file descriptors.
  collectDefaultMetrics({ register });
  storeMetrics(register, sources);
  doorMetrics(register, sources);
  eventMetrics(register, sources);
  return { contentType: register.contentType, text: () => register.metrics() };
}

function storeMetrics(register: Registry, { pressure, putOff }: MetricsSources): void {
  const gauge = (name: string, help: string, read: (now: Pressure) => number): void => {
    const made: Gauge = new Gauge({ name, help, registers: [register], collect: () => made.set(read(pressure())) });
  };
  gauge("lwm2m_store_pressure_level", "0 normal, 1 slow (new work is put off), 2 refusing", ({ level }) => levels[level]);
  gauge("lwm2m_store_waiting_writes", "Documents and points whose commit is awaited", ({ waiting }) => waiting);
  gauge(
    "lwm2m_store_commit_p95_seconds",
    "Of the commits of the last ten seconds; 0: too few to tell",
    (now) => now.commitP95Ms / msPerSecond,
  );
  gauge("lwm2m_store_oldest_write_seconds", "How long the longest waiting write has waited", (now) => now.oldestMs / msPerSecond);
  counts(register, "lwm2m_store_pressure_reached_total", "How often a level of pressure was reached", "level", () => ({
    ...pressure().reached,
  }));
  counts(register, "lwm2m_put_off_total", "Requests put off because the store was pressed", "what", () => ({ ...putOff() }));
}

function doorMetrics(register: Registry, { doors }: MetricsSources): void {
  const byDoor = (name: string, help: string, read: () => AllNumbers["doors"]): void => {
    const made: Counter<"door" | "what"> = new Counter({
      ...{ name, help, labelNames: ["door", "what"] as const },
      registers: [register],
      collect() {
        made.reset();
        for (const { door, counters } of read()) for (const [what, count] of Object.entries(counters)) made.inc({ door, what }, count);
      },
    });
  };
  byDoor("lwm2m_secured_door_total", "What happened at the secured doors: handshakes, drops, alerts", () => doors().doors);
  const coapHelp = "CoAP messages of a plain door and its secured one: requests, retransmissions, duplicates, refusals";
  byDoor("lwm2m_coap_total", coapHelp, () => doors().messages);
  const help = "Who came under a name that is not its own";
  counts(register, "lwm2m_identity_mismatches_total", help, "reason", () => doors().identityMismatches);
}

function eventMetrics(register: Registry, { events }: MetricsSources): void {
  const labelNames = ["type"] as const;
  const made = new Counter({ name: "lwm2m_events_total", help: "Events of the feed by type", labelNames, registers: [register] });
  // From the start on: a rate over what has never happened is 0, not nothing.
  for (const type of eventTypes) made.inc({ type }, 0);
  events.subscribe((news) => {
    for (const { type } of news) made.inc({ type });
  });
}

/** A counter with one label, read where it is counted. */
function counts(register: Registry, name: string, help: string, label: string, read: () => { readonly [value: string]: number }): void {
  const made: Counter = new Counter({
    ...{ name, help, labelNames: [label], registers: [register] },
    collect() {
      made.reset();
      for (const [value, count] of Object.entries(read())) made.inc({ [label]: value }, count);
    },
  });
}
