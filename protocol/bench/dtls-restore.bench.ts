/**
 * Restart with established DTLS connections: from opening the journal's folder to ready, memory of an idle one, and how long a full
 * collection halts the process. Connections by PSK with ids, journal encrypted and synced to disk; the owner before was killed.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RestoreMeasurement } from "./dtls-restore-process.ts";
import { type BenchOptions, type Figure, rounded } from "./figure.ts";

const file = new URL("./dtls-restore-process.js", import.meta.url);
const name = "dtls-restore";

export async function bench(_options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const connections of [100_000, 200_000]) {
    const child = fork(fileURLToPath(file), [String(connections)], { execArgv: ["--expose-gc"] });
    const [measured]: RestoreMeasurement[] = await Promise.race([once(child, "message"), once(child, "exit").then(() => [])]);
    child.kill();
    if (measured === undefined) throw new Error("the restore was not measured");
    const figure = (what: string, value: number, unit: string): Figure => ({
      bench: name,
      figure: `${connections} connections: ${what}`,
      value: rounded(value),
      unit,
      against: null,
      ratio: null,
    });
    figures.push(figure("restored and ready", measured.readyMs, "ms"));
    figures.push(figure("memory of an idle one", measured.bytesPerConnection, "B"));
    figures.push(figure("full collection", measured.collectionMs, "ms"));
  }
  return figures;
}
