/** The registration interface with all that decides who comes in, and when; wired by hand like `features.ts`. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { DeviceService } from "./devices/device-service.ts";
import type { Leniency } from "./devices/leniency.ts";
import { RefusalReports } from "./devices/refusal-reports.ts";
import { UnknownDevices } from "./devices/unknown-devices.ts";
import type { CoapRoute } from "./doors/coap-router.ts";
import type { EventLog } from "./events/event.ts";
import type { Log } from "./log.ts";
import type { BootstrapConfigStore } from "./provisioning/bootstrap-config-store.ts";
import type { DeviceIdentities } from "./registration/device-identities.ts";
import { ObjectProfiles } from "./registration/object-profiles.ts";
import { RegistrationAdmission } from "./registration/registration-admission.ts";
import { registrationCoapRoute } from "./registration/registration-coap.ts";
import type { RegistrationService } from "./registration/registration-service.ts";
import type { DeviceCredentials } from "./security/device-credentials.ts";
import type { Settings } from "./settings/config.ts";
import type { Store } from "./storage/store.ts";
import type { Supervisor } from "./supervisor.ts";

export interface RegistrationDoorDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: EventLog;
  readonly supervisor: Supervisor;
  readonly settings: Settings;
  readonly security: Pick<DeviceCredentials, "isSecured">;
  readonly configs: Pick<BootstrapConfigStore, "findStored">;
  readonly devices: DeviceService;
  readonly registrations: RegistrationService;
  readonly identities: DeviceIdentities;
  readonly leniency: Leniency;
  /** As when a device is deleted. */
  readonly forget: (endpoint: string) => Promise<void>;
}

export interface RegistrationParts {
  readonly route: CoapRoute;
  readonly refusals: RefusalReports;
  readonly admission: RegistrationAdmission;
  readonly profiles: ObjectProfiles;
}

export function openRegistrationDoor(deps: RegistrationDoorDeps): RegistrationParts {
  const { store, clock, log, settings, security, configs, devices, registrations, identities, leniency, forget } = deps;
  const refusals = new RefusalReports(deps);
  const newcomers = new UnknownDevices({
    policy: settings.unknownDevices,
    limit: settings.quarantineDevices,
    ...{ devices, reports: refusals, forget },
    isExpected: async (endpoint) => (await configs.findStored(endpoint)) !== undefined || (await security.isSecured("bootstrap", endpoint)),
    isRegistered: async (endpoint) => (await registrations.find(endpoint)) !== undefined,
  });
  registrations.onGone((endpoint) => newcomers.noteGone(endpoint));
  const profiles = new ObjectProfiles(store, clock);
  const admission = new RegistrationAdmission({
    ...deps,
    perSecond: settings.registrationRate,
    onPutOff: (news) => log.warn("more devices register than the store takes: they are told when to come back", news),
  });
  const route = registrationCoapRoute({ registrations, identities, newcomers, profiles, admission, leniency });
  return { route, refusals, admission, profiles };
}
