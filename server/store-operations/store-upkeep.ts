/** What the running server does for its store besides using it: retention and the log's space once an hour, and copies for backups. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Log } from "../log.ts";
import type { Store } from "../storage/store.ts";
import { type ControlSocket, openControlSocket } from "./platform/control-socket.ts";

export interface StoreUpkeepDeps {
  readonly store: Store;
  readonly dataDir: string;
  /** How long points are kept; 0: for ever. */
  readonly telemetryDays: number;
  readonly clock: Clock;
  readonly log: Log;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** The first time soon after the start: a server that is started every day has its turn too. */
const firstRunMs = 60_000;

/** Resolves with what ends it, when the step under way is over. */
export async function openStoreUpkeep(deps: StoreUpkeepDeps): Promise<() => Promise<void>> {
  const { store, clock, log } = deps;
  const control = await openCopies(deps);
  let running: Promise<void> | undefined;
  let closed = false;
  const arm = (delayMs: number) =>
    clock.after(delayMs, () => {
      running = keepUp(deps)
        .catch((error: unknown) => log.error("the store's upkeep failed, the next try is in an hour", { error }))
        .then(() => {
          if (!closed) timer = arm(hourMs);
        });
    });
  let timer = arm(firstRunMs);
  return async () => {
    closed = true;
    timer.cancel();
    await control?.close();
    await running;
  };

  async function keepUp({ telemetryDays }: StoreUpkeepDeps): Promise<void> {
    if (telemetryDays > 0) {
      const deleted = (await store.telemetry.deleteBefore?.(clock.now() - telemetryDays * dayMs)) ?? 0;
      if (deleted > 0) log.info("old values deleted", { values: deleted, telemetryDays });
    }
    await store.shortenLog?.();
  }
}

async function openCopies({ store, dataDir, log }: StoreUpkeepDeps): Promise<ControlSocket | undefined> {
  if (store.copyTo === undefined) return undefined;
  try {
    return await openControlSocket(dataDir, store.copyTo);
  } catch (error) {
    log.warn("no backup can be made while this server runs: its data directory takes no socket", {
      detail: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}
