/** The bootstrap server as a feature: admission by credential, configurations from the store, news to the event log. */
import { type BootstrapService, openBootstrapService } from "@lwm2m/bootstrap/bootstrap-service";
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { typeLookup } from "@lwm2m/object-registry/type-lookup";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SecurityStore } from "../credentials/security-store.ts";
import { parametersOf } from "../devices/link-profile.ts";
import type { LinkProfileService } from "../devices/link-profile-service.ts";
import type { ToleranceLog } from "../devices/tolerance-log.ts";
import type { SecuredPeers } from "../doors/secured-peers.ts";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import { DeviceIdentities } from "../registration/device-identities.ts";
import type { MismatchReports } from "../registration/mismatch-reports.ts";
import type { Supervisor } from "../supervisor.ts";
import type { BootstrapConfigStore } from "./bootstrap-config-store.ts";
import { bootstrapEvent } from "./bootstrap-news.ts";

export interface BootstrapDoorDeps {
  readonly endpoint: CoapEndpoint;
  readonly secured: SecuredPeers;
  readonly security: SecurityStore;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly log: Log;
  readonly supervisor: Supervisor;
  readonly mismatches: MismatchReports;
  readonly configs: BootstrapConfigStore;
  readonly registry: ObjectRegistry;
  readonly leniency: ToleranceLog;
  readonly links: LinkProfileService;
}

export function openBootstrapDoor(deps: BootstrapDoorDeps): BootstrapService {
  const { endpoint, secured, clock, events, log, supervisor, configs, registry, leniency, links } = deps;
  const identities = new DeviceIdentities(deps.security, "bootstrap", deps.mismatches);
  const service = openBootstrapService({
    endpoint,
    admit: (peer, endpointName) => identities.admit(peer, endpointName),
    configs,
    clock,
    typeOf: typeLookup(registry, [], "1.1"),
    usualLink: parametersOf(links.usual),
    linkOf(endpointName) {
      const own = links.find(endpointName);
      return own === undefined ? undefined : parametersOf(own);
    },
    strict: leniency.strict,
    onTolerated: (endpointName, codes) => leniency.note(endpointName, "bootstrap", codes),
    onSession(notice) {
      // One line per session and refusal; single answers are for whoever looks closely.
      const { at: _, ...facts } = notice;
      if (notice.kind === "answered") log.debug("bootstrap", facts);
      else log.info("bootstrap", facts);
      const event = bootstrapEvent(notice);
      if (event !== undefined) supervisor.run(events.append([event]), "log a bootstrap event");
    },
  });
  secured.onLost(({ association }) => {
    if (association !== undefined) service.noteLost(association.key);
  });
  return service;
}
