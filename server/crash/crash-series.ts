/**
 * A long crash run in parts, each on a store of its own: what one is held against grows with its rounds, and an engine that looks
 * at every document for a filter (FerretDB 1.24 on SQLite: for all but a single `_id`) gets slower with each.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CrashRunSettings, crashRun } from "./crash-run.ts";
import type { CrashStore } from "./crash-store.ts";

export interface CrashSeriesSettings extends Omit<CrashRunSettings, "store" | "firstRound"> {
  readonly roundsPerStore: number;
  readonly makeStore: (directory: string) => CrashStore | Promise<CrashStore>;
}

/** What is wrong, one line each; the part in which something was found is the last one, and its directory stays. */
export async function crashSeries(settings: CrashSeriesSettings): Promise<readonly string[]> {
  const { rounds, roundsPerStore, seed, makeStore } = settings;
  for (let part = 0; part * roundsPerStore < rounds; part++) {
    const done = part * roundsPerStore;
    const directory = join(settings.directory, `store-${part + 1}`);
    await mkdir(directory, { recursive: true });
    const store = await makeStore(directory);
    const wrong = await crashRun({
      ...{ ...settings, directory, store, seed: seed + part },
      ...{ firstRound: done + 1, rounds: Math.min(roundsPerStore, rounds - done) },
    });
    if (wrong.length > 0) return wrong;
    await store.dispose();
    await rm(directory, { recursive: true });
  }
  return [];
}
