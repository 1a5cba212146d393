/** Many clients, started one after the other over a ramp, counted together. */
import type { Lwm2mClientOptions } from "./client-options.ts";
import { type Lwm2mClient, openLwm2mClient } from "./lwm2m-client.ts";
import type { SecurityCredential } from "./security/security-credential.ts";

export interface FleetOpenOptions extends Omit<Lwm2mClientOptions, "endpointName" | "serverCredential" | "log"> {
  readonly devices: number;
  readonly prefix: string;
  /** Each device's own, for a `coaps` server. */
  readonly credentialOf?: ((endpointName: string) => SecurityCredential) | undefined;
  /** The starts are spread evenly over this time. */
  readonly rampMs: number;
  /** A device that could not be opened at all. */
  readonly onProblem: (problem: string) => void;
}

export interface Fleet {
  /** One line. */
  report(): string;
  /** De-registers every device; resolves when all are gone. */
  close(): Promise<void>;
}

export function openFleet(options: FleetOpenOptions): Fleet {
  const { clock, devices, prefix, rampMs, onProblem } = options;
  const clients: Lwm2mClient[] = [];
  const opening = new Set<Promise<void>>();
  let closing = false;
  const startOne = async (index: number): Promise<void> => {
    const endpointName = `${prefix}-${index}`;
    try {
      clients.push(await openLwm2mClient({ ...options, endpointName, serverCredential: options.credentialOf?.(endpointName) }));
    } catch (error) {
      onProblem(`${endpointName}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const timers = Array.from({ length: devices }, (_, index) =>
    clock.after((rampMs * index) / devices, () => {
      if (closing) return;
      const start = startOne(index);
      opening.add(start);
      void start.then(() => opening.delete(start));
    }),
  );
  return {
    report(): string {
      const registered = clients.filter((client) => client.isRegistered()).length;
      const totals = { registrations: 0, updates: 0, requestsServed: 0, notificationsSent: 0 };
      for (const client of clients) {
        const own = client.statistics();
        totals.registrations += own.registrations;
        totals.updates += own.updates;
        totals.requestsServed += own.requestsServed;
        totals.notificationsSent += own.notificationsSent;
      }
      const { registrations, updates, requestsServed, notificationsSent } = totals;
      return (
        `${clients.length} of ${devices} started, ${registered} registered; so far ${registrations} registrations, ` +
        `${updates} updates, ${requestsServed} requests served, ${notificationsSent} notifications`
      );
    },
    async close(): Promise<void> {
      closing = true;
      for (const timer of timers) timer.cancel();
      await Promise.all(opening);
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}
