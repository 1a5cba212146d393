/** Load in a closed loop: one open request a client, the next as soon as it is answered. What a server can do at most. */
import { setTimeout as sleep } from "node:timers/promises";
import { clientsOf } from "./load-client.ts";
import type { LoadReport, Target } from "./load-contract.ts";

/** A request whose answer was lost is repeated after this long, milliseconds. */
const repeatMs = 100;

/** How long the first answer may take where a round is shorter than the pauses a busy machine imposes, milliseconds. */
const patienceMs = 10_000;

export async function closedLoad(target: Target, ms: number): Promise<LoadReport> {
  const clients = await clientsOf(target);
  let answered = 0;
  let sent = 0;
  for (const client of clients) {
    client.onAnswer = (number) => {
      if (number !== client.number) return;
      answered++;
      client.send(++sent);
    };
  }
  const cpu = process.cpuUsage();
  const startedAt = process.hrtime.bigint();
  for (const client of clients) client.send(++sent);
  const stuck = clients.map(() => -1);
  for (let passedMs = 0; passedMs < ms || (answered === 0 && passedMs < patienceMs); passedMs += repeatMs) {
    await sleep(passedMs < ms ? Math.min(repeatMs, ms - passedMs) : repeatMs);
    for (const [i, client] of clients.entries()) {
      if (stuck[i] === client.number) client.repeat();
      stuck[i] = client.number;
    }
  }
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  for (const client of clients) client.onAnswer = () => {};
  const { user, system } = process.cpuUsage(cpu);
  return { sent, answered, seconds, cpuSeconds: (user + system) / 1e6, latencyMs: null, latenessMs: null };
}
