/** One server of a world, wired as the application does, on the store, clock and network it is given. */
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { type JournalDisk, MemoryJournal } from "@lwm2m/protocol/dtls/testing/memory-journal";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import type { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type DeviceService, openDeviceService } from "../devices/device-service.ts";
import { type LinkProfileService, openLinkProfileService } from "../devices/link-profile-service.ts";
import { RefusalReports } from "../devices/refusal-reports.ts";
import { ToleranceLog } from "../devices/tolerance-log.ts";
import { UnknownDevices, type UnknownDevicesDeps } from "../devices/unknown-devices.ts";
import { coapRouter } from "../doors/coap-router.ts";
import { openDtlsDoor } from "../doors/dtls-door.ts";
import { JoinedSocket } from "../doors/joined-socket.ts";
import { packageAddress } from "../doors/package-address.ts";
import { type SecuredPeers, securedPeers } from "../doors/secured-peers.ts";
import type { EventFeed } from "../events/event.ts";
import { openEventLog } from "../events/event-log.ts";
import type { DocumentWithOutbox } from "../events/outbox-relay.ts";
import { openOutboxRelay } from "../events/outbox-relay.ts";
import { packageHandler } from "../firmware/package-coap.ts";
import { openPackageService, type PackageService } from "../firmware/package-service.ts";
import { openUpdateService, type UpdateService } from "../firmware/update-service.ts";
import { type GroupService, openGroupService } from "../groups/group-service.ts";
import { lastTextOf } from "../groups/last-text.ts";
import { type ModelService, openModelService } from "../models/model-service.ts";
import { type ObservationService, openObservationService } from "../observations/observation-service.ts";
import { rememberObservations } from "../observations/remembered-observations.ts";
import { openStandingService, type StandingService } from "../observations/standing-service.ts";
import type { OperationServiceLimits } from "../operations/operation-limits.ts";
import { type OperationService, openOperationService } from "../operations/operation-service.ts";
import { type OpenedOutlooks, openOutlooks } from "../outlook/open-outlooks.ts";
import { storeWakeUps } from "../queue/store-wake-ups.ts";
import { DeviceIdentities } from "../registration/device-identities.ts";
import { MismatchReports } from "../registration/mismatch-reports.ts";
import { ObjectProfiles } from "../registration/object-profiles.ts";
import { registrationCoapRoute } from "../registration/registration-coap.ts";
import { openRegistrationService, type RegistrationService } from "../registration/registration-service.ts";
import { watchSecuredDevices } from "../registration/secured-devices.ts";
import { noticingDevices } from "../registration/signs-of-life.ts";
import { SecretBox } from "../security/secret-box.ts";
import { openSendSettingService, type SendSettingService } from "../sending/send-setting-service.ts";
import { coapChallenge } from "../settings/coap-settings.ts";
import { openSharedOwner, soleOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import { openSupervisor } from "../supervisor.ts";
import { openTraceService, type TraceService } from "../trace/trace-service.ts";
import { type DesiredService, openDesiredService } from "../twin/desired-service.ts";
import { sendCoapRoute } from "../twin/send-coap.ts";
import { SendReports } from "../twin/send-reports.ts";
import { openTwinService, type TwinService } from "../twin/twin-service.ts";
import type { MemoryCredentials } from "./memory-credentials.ts";
import { quiet, usualSettings } from "./plain-parts.ts";
import { withOutbox } from "./world-collections.ts";

/** Bytes: small enough to reach in a test. */
export const maxPackageBytes = 100_000;

const journalKey = new Uint8Array(32).fill(11);

export interface RunningServer {
  readonly coap: CoapEndpoint;
  readonly secured: SecuredPeers;
  readonly events: EventFeed;
  readonly devices: DeviceService;
  readonly links: LinkProfileService;
  readonly traces: TraceService;
  readonly registrations: RegistrationService;
  readonly groups: GroupService;
  readonly operations: OperationService;
  readonly observations: ObservationService;
  readonly standings: StandingService;
  readonly twins: TwinService;
  readonly desired: DesiredService;
  readonly sending: SendSettingService;
  readonly packages: PackageService;
  readonly updates: UpdateService;
  readonly models: ModelService;
  readonly leniency: ToleranceLog;
  readonly outlooks: OpenedOutlooks;
  readonly refusals: RefusalReports;
  readonly profiles: ObjectProfiles;
  /** Endpoint names that somebody has prepared something for. */
  readonly expected: Set<string>;
  /** Failures of background work: a test ends with none. */
  readonly failures: readonly string[];
  /** Adds one of the test's own. */
  report(failure: string): void;
}

const catalogue = openCatalogue();

export interface WorldServerParts {
  readonly store: Store;
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly random: Random;
  /** Never the same for two servers: keys are made of it. */
  readonly securedRandom: Random;
  readonly credentials: MemoryCredentials;
  readonly journal: JournalDisk;
  readonly addresses: { readonly plain: SocketAddress; readonly secured: SocketAddress };
  readonly limits: Partial<OperationServiceLimits>;
  readonly strict: boolean;
  readonly unknownDevices?: Pick<UnknownDevicesDeps, "policy" | "limit">;
  /** Set: others work on the store at the same time. */
  readonly leaseMs?: number;
}

export interface OpenedServer {
  readonly server: RunningServer;
  /** Leaves the store open. */
  readonly close: (graceful: boolean) => Promise<void>;
}

export async function openWorldServer(parts: WorldServerParts): Promise<OpenedServer> {
  const { store, clock, network, random, securedRandom, credentials, journal, addresses, limits, strict, leaseMs } = parts;
  const failures: string[] = [];
  const expected = new Set<string>();
  const supervisor = openSupervisor({
    error: (message, fields) => failures.push(`${message}: ${fields?.["what"]}: ${fields?.["error"]}`),
  });
  const owner =
    leaseMs === undefined
      ? soleOwner({ clock, random: securedRandom })
      : await openSharedOwner({ ...{ store, clock, random: securedRandom, leaseMs }, onError: () => {} });
  const events = await openEventLog({ store, clock });
  const relay = await openOutboxRelay({
    log: events,
    clock,
    collections: withOutbox.map((definition) => store.collection<DocumentWithOutbox>(definition)),
  });
  const models = await openModelService({ store, clock, catalogue });
  const { registry } = models;
  const devices = await openDeviceService({ store, relay, clock, supervisor });
  const plainSocket = network.socket(addresses.plain);
  const securedSocket = network.socket(addresses.secured);
  const { dtls } = await openDtlsDoor({
    ...{ door: "coaps", realm: "server", socket: securedSocket, clock, random: securedRandom },
    settings: usualSettings(),
    log: { ...quiet, error: (message, fields) => failures.push(`${message}: ${fields?.["error"]}`) },
    credentials: credentials.restart(),
    journal: { store: new MemoryJournal(journal, clock), key: journalKey },
  });
  const joined = new JoinedSocket(plainSocket, dtls.plaintext);
  const secured = securedPeers(dtls, joined);
  const coap = openCoapEndpoint({
    socket: joined,
    clock,
    random,
    challenge: coapChallenge("off"),
    onBug: (error) => failures.push(`coap: ${error}`),
  });
  const links = await openLinkProfileService({ store, coap, usual: { profile: "default" } });
  const leniency = new ToleranceLog({ store, clock, supervisor, strict: strict });
  const registrations = await openRegistrationService({ store, relay, events, devices, clock, random, supervisor, links, secured, owner });
  const mismatches = new MismatchReports({ clock, random, log: quiet, events, supervisor });
  const identities = new DeviceIdentities(credentials, "server", mismatches);
  watchSecuredDevices({ secured, registrations, identities, supervisor });
  const traces = await openTraceService({
    store,
    doors: [{ door: "coap", coap, endpointAt: (address) => registrations.endpointAt(address) }],
    all: false,
    limits: { messagesPerDevice: 100, bytes: 100_000 },
  });
  const remembered = await rememberObservations({ store, relay, registrations });
  const twins = openTwinService({ store, relay, registry, clock });
  const lastText = lastTextOf((endpoint) => twins.find(endpoint));
  const groups = await openGroupService({
    ...{ store, events, clock, random, supervisor, devices, registrations, lastText, isShared: owner.isShared },
  });
  const learn = twins.learn.bind(twins);
  const outlooks = openOutlooks({ store, devices, registrations, links, owner, clock, coap });
  const shared = {
    ...{ store, relay, devices, registrations, registry, coap: outlooks.coap, clock, random, supervisor, learn, leniency, owner, links },
    knownValues: async (endpoint: string) => (await twins.find(endpoint))?.values,
  };
  const secrets = new SecretBox([{ id: "world", key: new Uint8Array(32).fill(12) }], securedRandom);
  const operations = openOperationService({ ...shared, secrets, limits, patience: outlooks.patience });
  outlooks.outlooks.attachWakeUps((endpoint) => operations.isHeldBack(endpoint));
  const observations = openObservationService({ ...shared, operations, remembered });
  const standings = openStandingService({ ...shared, events, groups, operations, observations, askedPerSecond: 50 });
  const packages = openPackageService({ store, clock, random, maxBytes: maxPackageBytes });
  const packageUri = packageAddress({
    publicHost: undefined,
    bound: coap.local,
    securedPort: secured.port,
    registrations,
    findLocalAddressTowards: async () => undefined,
  });
  const wakeUps = storeWakeUps({ clock, onError: (error, what) => supervisor.run(Promise.reject(error), what) });
  const updates = openUpdateService({ ...shared, events, operations, packageUri, wakeUps });
  const desired = await openDesiredService({ ...shared, events, twins, operations, wakeUps, secrets, policy: "server" });
  const sending = await openSendSettingService({ ...shared, groups, desired });
  const servePackage = packageHandler({ updates, packages, now: () => clock.now() });
  const profiles = new ObjectProfiles(store, clock);
  const refusals = new RefusalReports({ clock, random, log: quiet, events, supervisor });
  const forgetting = [operations, observations, twins, leniency, registrations];
  const newcomers = new UnknownDevices({
    ...{ policy: "accept", limit: 1_000, devices, reports: refusals, ...parts.unknownDevices },
    isExpected: async (endpoint) => expected.has(endpoint),
    isRegistered: async (endpoint) => (await registrations.find(endpoint)) !== undefined,
    async forget(endpoint) {
      for (const feature of forgetting) await feature.forget(endpoint);
      await devices.remove(endpoint);
    },
  });
  registrations.onGone((endpoint) => newcomers.noteGone(endpoint));
  const reports = new SendReports({ clock, random, events });
  const send = sendCoapRoute({ ...shared, reports });
  const register = registrationCoapRoute({ registrations, identities, newcomers, profiles, leniency });
  coap.handle(noticingDevices(registrations, coapRouter([register, send, { prefix: "fw", handle: servePackage }])));
  await operations.start();
  const server = {
    coap,
    secured,
    events,
    devices,
    links,
    traces,
    registrations,
    groups,
    operations,
    observations,
    standings,
    twins,
    desired,
    sending,
    packages,
    updates,
    models,
    leniency,
    outlooks,
    refusals,
    profiles,
    expected,
    failures,
    report: (failure: string) => void failures.push(failure),
  };
  const close = async (graceful: boolean): Promise<void> => {
    await updates.close();
    await standings.close();
    observations.close();
    await sending.close();
    await desired.close();
    if (graceful) await operations.close();
    await coap.close();
    if (!graceful) await operations.close();
    await groups.close();
    await registrations.close();
    if (graceful) await leniency.close();
    await relay.close();
    await supervisor.settled();
    await owner.close();
  };
  return { server, close };
}
