/** The alarm clock that the settings ask for: the store's own, or Bull where there is a Redis. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Log } from "../log.ts";
import type { Settings } from "../settings/config.ts";
import { StartError } from "../start-error.ts";
import type { Supervisor } from "../supervisor.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { storeWakeUps } from "./store-wake-ups.ts";
import type { WakeUpQueue } from "./wake-up-queue.ts";

export interface ConfiguredWakeUpsDeps {
  readonly settings: Pick<Settings, "redisUrl">;
  readonly clock: Clock;
  readonly log: Log;
  readonly supervisor: Supervisor;
}

/** Rejects with `StartError` for an address that is none. A Redis that is not there is waited for beside the work. */
export async function openConfiguredWakeUps({ settings, clock, log, supervisor }: ConfiguredWakeUpsDeps): Promise<WakeUpQueue> {
  const onError = (error: unknown, what: string): void => supervisor.run(Promise.reject(error), what);
  if (settings.redisUrl === undefined) return storeWakeUps({ clock, onError });
  const address = parseRedisUrl(settings.redisUrl);
  // Not repeated: a password may stand in it.
  if (address === undefined)
    throw new StartError("REDIS_URL: expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS");
  const { openBullWakeUps } = await import("./bull-wake-ups.ts");
  return openBullWakeUps({ address, clock, log, onError });
}
