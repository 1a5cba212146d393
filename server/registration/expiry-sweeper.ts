/** Ends registrations whose lifetime is over: by our own sweeper, because expiry must fire events. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { type DueLoop, openDueLoop } from "../due-loop.ts";
import type { Supervisor } from "../supervisor.ts";
import type { RegistrationStore, StoredRegistration } from "./registration-store.ts";

export interface ExpirySweeperDeps {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly store: Pick<RegistrationStore, "findDue" | "nextAlarm" | "postpone">;
  /** The lifetime is over. */
  readonly expire: (registration: StoredRegistration) => Promise<unknown>;
}

/** Registrations that one step looks at. */
const batch = 200;

/** The first step finds what ran out while nobody was running. */
export function openExpirySweeper({ clock, supervisor, store, expire }: ExpirySweeperDeps): DueLoop {
  return openDueLoop({
    clock,
    async step(nowMs) {
      for (const registration of await store.findDue(nowMs, batch)) {
        if ((registration.expiresAt ?? nowMs) <= nowMs) await expire(registration);
        else await store.postpone(registration);
      }
      return store.nextAlarm();
    },
    onError: (error) => supervisor.run(Promise.reject(error), "expire registrations"),
  });
}
