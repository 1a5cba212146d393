/** The features of the LwM2M server, wired from below upwards: models, devices, registration, operations, observations, twin, firmware, provisioning. */
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { credentialRoutes } from "./credentials/credential-http.ts";
import type { SecurityStore } from "./credentials/security-store.ts";
import { serverIdentityRoutes } from "./credentials/server-identity-http.ts";
import { trustAnchorRoutes } from "./credentials/trust-anchor-http.ts";
import type { DeviceFacet } from "./devices/device.ts";
import { deviceRoutes, forgetDevice } from "./devices/device-http.ts";
import { openDeviceService } from "./devices/device-service.ts";
import { openLinkProfileService } from "./devices/link-profile-service.ts";
import { quarantineRoutes } from "./devices/quarantine-http.ts";
import { ToleranceLog } from "./devices/tolerance-log.ts";
import { coapRouter } from "./doors/coap-router.ts";
import { packageAddress } from "./doors/package-address.ts";
import type { PressureGate } from "./doors/pressure-gate.ts";
import type { SecuredPeers } from "./doors/secured-peers.ts";
import type { EventFeed } from "./events/event.ts";
import type { OutboxRelay } from "./events/outbox-relay.ts";
import { packageHandler } from "./firmware/package-coap.ts";
import { packageRoutes } from "./firmware/package-http.ts";
import { openPackageService } from "./firmware/package-service.ts";
import { updateRoutes } from "./firmware/update-http.ts";
import { openUpdateService } from "./firmware/update-service.ts";
import { deviceSearch } from "./groups/device-search.ts";
import { groupRoutes } from "./groups/group-http.ts";
import { openGroupService } from "./groups/group-service.ts";
import { lastTextOf } from "./groups/last-text.ts";
import { allHistoryRoutes } from "./history/all-history-routes.ts";
import { IdempotencyKeys } from "./http/idempotency.ts";
import type { Route } from "./http/route.ts";
import type { Log } from "./log.ts";
import { modelRoutes } from "./models/model-http.ts";
import { openModelService } from "./models/model-service.ts";
import { observationRoutes } from "./observations/observation-http.ts";
import { openObservationService } from "./observations/observation-service.ts";
import { rememberObservations } from "./observations/remembered-observations.ts";
import { standingRoutes } from "./observations/standing-http.ts";
import { openStandingService } from "./observations/standing-service.ts";
import type { Learn } from "./operations/news.ts";
import { OperationDoor } from "./operations/operation-door.ts";
import { operationRoutes } from "./operations/operation-http.ts";
import { openOperationService } from "./operations/operation-service.ts";
import { resourceRoutes } from "./operations/resource-http.ts";
import { openOutlooks } from "./outlook/open-outlooks.ts";
import { findLocalAddressTowards } from "./platform/local-address.ts";
import { openBootstrapConfigStore } from "./provisioning/bootstrap-config-store.ts";
import { openBootstrapDoor } from "./provisioning/bootstrap-door.ts";
import { provisioningRoutes } from "./provisioning/provisioning-http.ts";
import type { WakeUpQueue } from "./queue/wake-up-queue.ts";
import { DeviceIdentities } from "./registration/device-identities.ts";
import { linkProfileFacet, linkProfileRoutes } from "./registration/link-profile-http.ts";
import { MismatchReports } from "./registration/mismatch-reports.ts";
import { modelUsers } from "./registration/model-users.ts";
import { objectProfileRoutes } from "./registration/object-profile-http.ts";
import { registrationFacet, registrationRoutes } from "./registration/registration-http.ts";
import { openRegistrationService, type RegistrationService } from "./registration/registration-service.ts";
import { watchSecuredDevices } from "./registration/secured-devices.ts";
import { noticingDevices } from "./registration/signs-of-life.ts";
import { openRegistrationDoor, type RegistrationParts } from "./registration-door.ts";
import type { SecretBox } from "./security/secret-box.ts";
import { sendSettingRoutes } from "./sending/send-setting-http.ts";
import { openSendSettingService } from "./sending/send-setting-service.ts";
import { usualLink } from "./settings/coap-settings.ts";
import type { Settings } from "./settings/config.ts";
import type { ProcessOwner } from "./storage/process-owner.ts";
import type { Store } from "./storage/store.ts";
import type { Supervisor } from "./supervisor.ts";
import { traceFacet, traceRoutes } from "./trace/trace-http.ts";
import { openTraceService, type TraceService } from "./trace/trace-service.ts";
import { openDesiredService } from "./twin/desired-service.ts";
import { sendCoapRoute } from "./twin/send-coap.ts";
import { SendReports } from "./twin/send-reports.ts";
import { twinRoutes } from "./twin/twin-http.ts";
import { openTwinService } from "./twin/twin-service.ts";

export interface FeatureDeps {
  readonly store: Store;
  readonly secrets: SecretBox;
  readonly security: SecurityStore;
  readonly events: EventFeed;
  readonly relay: OutboxRelay;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings: Settings;
  readonly gate: PressureGate;
  readonly wakeUps: WakeUpQueue;
  readonly owner: ProcessOwner;
}

export interface FeatureDoors {
  readonly coap: CoapEndpoint;
  /** The secured side of `coap`. */
  readonly secured: SecuredPeers;
  readonly bootstrap: CoapEndpoint;
  /** The secured side of `bootstrap`. */
  readonly securedBootstrap: SecuredPeers;
}

export interface Features {
  readonly routes: readonly Route[];
  /** Who came under a name that is not its own, by why, both realms. */
  readonly identityMismatches: MismatchReports["counters"];
  /** Who was refused because nobody expects it, by why. */
  readonly refusedDevices: RegistrationParts["refusals"]["counters"];
  /** Registers that were let in, and that were told to come back. */
  readonly registrations: RegistrationParts["admission"]["counters"];
  /** Sends what waits; nothing leaves before. */
  start(): Promise<void>;
}

/** Whatever was opened is handed over at once, to be closed in reverse: a start that fails in the middle leaves nothing running. */
export type OnOpened = (what: string, close: () => Promise<void>) => void;

const secondsPerDay = 86_400;

export async function openFeatures(deps: FeatureDeps, doors: FeatureDoors, onOpened: OnOpened): Promise<Features> {
  const { store, clock, supervisor, settings } = deps;
  const { coap, secured } = doors;
  const models = await openModelService({ store, clock, catalogue: openCatalogue() });
  const { registry } = models;
  const devices = await openDeviceService(deps);
  const links = await openLinkProfileService({ store, coap, usual: usualLink(settings) });
  const leniency = new ToleranceLog({ store, clock, supervisor, strict: settings.strictDevices === "on" });
  onOpened("tolerances", () => leniency.close());
  const registrations = await openRegistrationService({ ...deps, devices, links, secured });
  onOpened("registrations", () => registrations.close());
  const mismatches = new MismatchReports(deps);
  const identities = new DeviceIdentities(deps.security, "server", mismatches);
  watchSecuredDevices({ secured, registrations, identities, supervisor });
  const traces = await openTraces(deps, doors, registrations);
  onOpened("traces", async () => traces.close());
  const remembered = await rememberObservations({ ...deps, registrations });
  const twins = openTwinService({ ...deps, registry });
  const lastText = lastTextOf((endpoint) => twins.find(endpoint));
  const groups = await openGroupService({ ...deps, devices, registrations, lastText, isShared: deps.owner.isShared });
  onOpened("groups", () => groups.close());
  const learn: Learn = (endpoint, news) => twins.learn(endpoint, news);
  const limits = { maxQueuedPerDevice: settings.queueLength, defaultExpiryMs: settings.operationDays * secondsPerDay * 1_000 };
  const opened = openOutlooks({ ...deps, devices, registrations, links, coap });
  const { outlooks, describeAll, facet: outlookFacet, coap: watched, patience } = opened;
  const knownValues = async (endpoint: string) => (await twins.find(endpoint))?.values;
  const operations = openOperationService({
    ...{ ...deps, devices, registrations, registry, coap: watched, learn, leniency, limits },
    ...{ links, knownValues, patience },
  });
  onOpened("operations", () => operations.close());
  outlooks.attachWakeUps((endpoint) => operations.isHeldBack(endpoint));
  const observations = openObservationService({
    ...{ ...deps, registrations, operations, registry, coap: watched, learn, leniency, links, knownValues, remembered },
  });
  onOpened("observations", async () => observations.close());
  const standings = openStandingService({
    ...{ ...deps, devices, groups, registrations, operations, observations, registry, askedPerSecond: settings.observeRate },
  });
  onOpened("standing observations", () => standings.close());
  const packages = openPackageService({ ...deps, maxBytes: settings.packageBytes });
  const packageUri = packageAddress({
    publicHost: settings.publicCoapHost,
    bound: coap.local,
    securedPort: secured.port,
    registrations,
    findLocalAddressTowards,
  });
  const updates = openUpdateService({ ...deps, operations, registrations, packageUri });
  onOpened("firmware updates", () => updates.close());
  const desired = await openDesiredService({ ...deps, twins, operations, registrations, registry, policy: settings.twinConflictPolicy });
  onOpened("desired twins", () => desired.close());
  const sending = await openSendSettingService({ ...deps, devices, groups, registrations, desired });
  onOpened("Send settings", () => sending.close());
  const configs = await openBootstrapConfigStore(store, deps.secrets);
  const bootstrap = openBootstrapDoor({
    ...deps,
    endpoint: doors.bootstrap,
    secured: doors.securedBootstrap,
    configs,
    registry,
    leniency,
    links,
    mismatches,
  });
  onOpened("bootstrap", () => bootstrap.close());
  const servePackage = packageHandler({ updates, packages, now: () => clock.now() });
  const send = sendCoapRoute({
    ...{ registrations, devices, registry, clock, learn, leniency, knownValues },
    reports: new SendReports(deps),
  });
  const forget = (endpoint: string): Promise<void> => forgetDevice({ devices, facets }, endpoint);
  const registering = openRegistrationDoor({ ...deps, devices, registrations, identities, configs, leniency, forget });
  onOpened("admission", async () => registering.admission.close());
  const answer = coapRouter([registering.route, send, { prefix: "fw", handle: servePackage }]);
  coap.handle(deps.gate.guard(noticingDevices(registrations, answer)));

  const keys = new IdempotencyKeys({ store, clock, supervisor, fingerprintKeys: deps.secrets.derivedKeys("idempotency keys") });
  const door = new OperationDoor({
    ...deps,
    operations,
    registrations,
    registry,
    outlooks,
    keys,
  });
  // A deleted device loses what would be sent to it first, its registration last.
  const facets: readonly DeviceFacet[] = [
    // Before the operations: what is wished would make new ones.
    { describe: async () => ({}), forget: (endpoint) => sending.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint) => desired.forget(endpoint) },
    {
      describe: async (endpoint) => ({ waitingOperations: await operations.countOpen(endpoint) }),
      forget: (endpoint) => operations.forget(endpoint),
    },
    { describe: async () => ({}), forget: (endpoint) => standings.forget(endpoint) },
    { describe: async () => ({}), forget: (endpoint) => observations.forget(endpoint) },
    {
      describe: async (endpoint) => ({ knownValues: Object.keys((await twins.find(endpoint))?.values ?? {}).length }),
      forget: (endpoint) => twins.forget(endpoint),
    },
    traceFacet(traces),
    linkProfileFacet(links),
    outlookFacet,
    leniency,
    groups.facet(),
    registrationFacet(registrations),
  ];
  const isKnownDevice = (endpoint: string): Promise<boolean> => devices.isKnown(endpoint);
  return {
    routes: [
      ...deviceRoutes({ devices, facets, describeAll, search: deviceSearch(groups) }),
      ...quarantineRoutes(devices, keys),
      ...registrationRoutes({ registrations, devices, registry }),
      ...objectProfileRoutes(registering.profiles),
      ...linkProfileRoutes({ links, devices, registrations }),
      ...traceRoutes({ traces, devices, registrations, registry }),
      ...groupRoutes(groups, keys),
      ...sendSettingRoutes({ sending, devices, groups }),
      ...operationRoutes({ operations, devices, door }),
      ...resourceRoutes(door),
      ...twinRoutes({
        ...{ twins, desired, operations, observations, devices },
        ...{ registrations, registry, door, clock },
        staleSeconds: settings.staleSeconds,
      }),
      ...allHistoryRoutes({ store, devices, door, registry, clock }),
      ...observationRoutes({ observations, standings, door }),
      ...standingRoutes({ standings, groups, devices, registry, keys }),
      ...packageRoutes({ packages, updates, keys }),
      ...updateRoutes({ updates, packages, keys, isKnownDevice, now: () => clock.now() }),
      ...provisioningRoutes(configs, clock),
      ...credentialRoutes(deps.security.credentials),
      ...trustAnchorRoutes(deps.security.anchors),
      ...serverIdentityRoutes(deps.security.identities),
      ...modelRoutes({ models, countUsers: modelUsers(registrations, registry) }),
    ],
    identityMismatches: mismatches.counters,
    refusedDevices: registering.refusals.counters,
    registrations: registering.admission.counters,
    start: () => operations.start(),
  };
}

function openTraces({ store, settings }: FeatureDeps, doors: FeatureDoors, registrations: RegistrationService): Promise<TraceService> {
  return openTraceService({
    store,
    doors: [
      { door: "coap", coap: doors.coap, endpointAt: (address) => registrations.endpointAt(address) },
      // Nobody registers there: whoever introduced itself is the device.
      { door: "bootstrap-coap", coap: doors.bootstrap, endpointAt: () => undefined },
    ],
    all: settings.coapTrace === "all",
    limits: { messagesPerDevice: settings.coapTraceMessages, bytes: settings.coapTraceBytes },
  });
}
