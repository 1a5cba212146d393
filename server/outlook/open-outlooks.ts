/** The wiring of outlooks: who tells of signals, who asks. */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Device, DeviceFacet } from "../devices/device.ts";
import type { RegistrationService } from "../registration/registration-service.ts";
import type { Json } from "../storage/collection.ts";
import { type Patience, watchExchanges } from "./exchange-watch.ts";
import { type OutlookDeps, OutlookService } from "./outlook-service.ts";
import { outlookView } from "./outlook-view.ts";
import { SignalLog } from "./signal-log.ts";

export interface OpenedOutlooks {
  readonly outlooks: OutlookService;
  /** What is sent to devices goes through it. */
  readonly coap: CoapEndpoint;
  readonly patience: Patience;
  readonly describeAll: (devices: readonly Device[]) => Promise<ReadonlyMap<string, { readonly [field: string]: Json }>>;
  readonly facet: DeviceFacet;
}

export function openOutlooks(
  deps: Omit<OutlookDeps, "signals" | "exchanges"> & { readonly registrations: RegistrationService; readonly coap: CoapEndpoint },
): OpenedOutlooks {
  const { clock, registrations } = deps;
  const signals = new SignalLog();
  registrations.onSignOfLife((endpoint, _, signal) => signals.note(endpoint, signal, clock.now()));
  registrations.onMoved(async ({ _id, address }) => {
    // A new connection, as a rule; the Update that tells of a new address comes after it.
    if (address.association !== undefined) signals.note(_id, "handshake", clock.now());
  });
  const exchanges = watchExchanges(deps.coap, {
    endpointAt: (address) => registrations.endpointAt(address),
    onAcknowledged: (endpoint) => signals.note(endpoint, "ack", clock.now()),
    onMoved: (endpoint) => {
      signals.note(endpoint, "answer", clock.now());
      // Its window would end in the middle of a long body.
      registrations.noteHeard(endpoint);
    },
    now: () => clock.now(),
  });
  const outlooks = new OutlookService({ ...deps, signals, exchanges });
  return {
    outlooks,
    coap: exchanges.coap,
    patience: exchanges,
    async describeAll(devices) {
      const found = await outlooks.ofAll(devices);
      return new Map([...found].map(([endpoint, outlook]) => [endpoint, outlookView(outlook, outlook.lastSignal)]));
    },
    facet: {
      describe: async () => ({}),
      forget: async (endpoint) => signals.forget(endpoint),
    },
  };
}
