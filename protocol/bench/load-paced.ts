/**
 * Load at a fixed rate: requests leave at the instants of a schedule, whatever became of those before. Latency counts from the scheduled
 * instant, so a server that stalls pays for every request that was due meanwhile.
 */
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { clientsOf } from "./load-client.ts";
import type { LoadOrder, LoadReport } from "./load-contract.ts";
import { percentilesOf } from "./statistics.ts";

/** How long the last answers may take, milliseconds. */
const graceMs = 2_000;
const notYet = -1;
let firstNumber = 0;

export async function pacedLoad(order: LoadOrder & { readonly kind: "paced" }): Promise<LoadReport> {
  const clients = await clientsOf(order.target);
  const total = Math.round((order.perSecond * order.ms) / 1_000);
  const everyMs = 1_000 / order.perSecond;
  const first = firstNumber;
  firstNumber += total;
  const latencies = new Float32Array(total).fill(notYet);
  const lateness = new Float32Array(total);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  let answered = 0;
  const answer = (number: number): void => {
    const index = number - first;
    if (latencies[index] !== notYet) return;
    latencies[index] = performance.now() - startedAt - index * everyMs;
    answered++;
  };
  for (const client of clients) client.onAnswer = answer;
  for (let index = 0; index < total; ) {
    for (let now = performance.now() - startedAt; index < total && index * everyMs <= now; index++) {
      lateness[index] = now - index * everyMs;
      clients[index % clients.length]?.send(first + index);
      now = performance.now() - startedAt;
    }
    await (order.watchful ? nextTurn() : sleep(1));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  for (const until = performance.now() + graceMs; answered < total && performance.now() < until; ) await sleep(1);
  for (const client of clients) client.onAnswer = () => {};
  return {
    sent: total,
    answered,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    latencyMs: percentilesOf(latencies.filter((latency) => latency !== notYet)),
    latenessMs: percentilesOf(lateness),
  };
}
