/** The device-facing features wired as the application does, on the real store, the virtual clock and the memory network. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import { JournalDisk, MemoryJournal } from "@lwm2m/protocol/dtls/testing/memory-journal";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { type DeviceService, openDeviceService } from "../devices/device-service.ts";
import { deviceCollection } from "../devices/device-store.ts";
import { type LinkProfileService, linkProfileCollection, openLinkProfileService } from "../devices/link-profile-service.ts";
import { ToleranceLog, toleranceCollection } from "../devices/tolerance-log.ts";
import { coapRouter } from "../doors/coap-router.ts";
import { openDtlsDoor } from "../doors/dtls-door.ts";
import { JoinedSocket } from "../doors/joined-socket.ts";
import { packageAddress } from "../doors/package-address.ts";
import { type SecuredPeers, securedPeers } from "../doors/secured-peers.ts";
import type { EventLog, LoggedEvent } from "../events/event.ts";
import { eventsDefinition, openEventLog } from "../events/event-log.ts";
import type { DocumentWithOutbox } from "../events/outbox-relay.ts";
import { openOutboxRelay } from "../events/outbox-relay.ts";
import { packageHandler } from "../firmware/package-coap.ts";
import { openPackageService, type PackageService } from "../firmware/package-service.ts";
import { packageCollection } from "../firmware/package-store.ts";
import { openUpdateService, type UpdateService } from "../firmware/update-service.ts";
import { updateCollection } from "../firmware/update-store.ts";
import { type ModelService, openModelService } from "../models/model-service.ts";
import { modelCollection } from "../models/model-store.ts";
import { type ObservationService, openObservationService, rememberObservations } from "../observations/observation-service.ts";
import { observationCollection } from "../observations/observation-store.ts";
import { idempotencyCollection } from "../operations/idempotency.ts";
import type { CreateOutcome, Operation, OperationRequest } from "../operations/operation.ts";
import type { OperationServiceLimits } from "../operations/operation-limits.ts";
import { type OperationService, openOperationService } from "../operations/operation-service.ts";
import { operationCollection } from "../operations/operation-store.ts";
import { storeWakeUps } from "../queue/store-wake-ups.ts";
import { DeviceIdentities } from "../registration/device-identities.ts";
import { MismatchReports } from "../registration/mismatch-reports.ts";
import { registrationCoapRoute } from "../registration/registration-coap.ts";
import { openRegistrationService, type RegistrationService } from "../registration/registration-service.ts";
import { registrationCollection } from "../registration/registration-store.ts";
import { watchSecuredDevices } from "../registration/secured-devices.ts";
import { coapChallenge } from "../settings/coap-settings.ts";
import { openSupervisor } from "../supervisor.ts";
import { openTraceService, type TraceService, tracedDeviceCollection } from "../trace/trace-service.ts";
import { sendCoapRoute } from "../twin/send-coap.ts";
import { openTwinService, type TwinService } from "../twin/twin-service.ts";
import { twinCollection } from "../twin/twin-store.ts";
import { MemoryCredentials } from "./memory-credentials.ts";
import { quiet, usualSettings } from "./plain-parts.ts";
import { type WatchedStore, watchStore } from "./watched-store.ts";
import { openWorldStore } from "./world-store.ts";

/** Bytes: small enough to reach in a test. */
export const maxPackageBytes = 100_000;

export const serverAddress = { address: "10.0.0.1", port: 5683 };
export const securedServerAddress = { address: "10.0.0.1", port: 5684 };

const journalKey = new Uint8Array(32).fill(11);

const withOutbox = [deviceCollection, registrationCollection, operationCollection, observationCollection, twinCollection, updateCollection];

export interface RunningServer {
  readonly coap: CoapEndpoint;
  readonly secured: SecuredPeers;
  readonly events: EventLog;
  readonly devices: DeviceService;
  readonly links: LinkProfileService;
  readonly traces: TraceService;
  readonly registrations: RegistrationService;
  readonly operations: OperationService;
  readonly observations: ObservationService;
  readonly twins: TwinService;
  readonly packages: PackageService;
  readonly updates: UpdateService;
  readonly models: ModelService;
  readonly leniency: ToleranceLog;
  /** Failures of background work: a test ends with none. */
  readonly failures: readonly string[];
}

const catalogue = openCatalogue();

/** One test: a directory, a clock, a network; servers come and go on it. */
export class ServerWorld {
  readonly directory: string;
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly random = seededRandom(7);
  /** Of its own, so that what CoAP draws does not depend on DTLS. Never the same for two servers: keys are made of it. */
  readonly #securedRandom = seededRandom(8);
  readonly credentials = new MemoryCredentials();
  /** Where secured connections outlive the server. */
  #journal = new JournalDisk();
  #store: WatchedStore | undefined;
  #server: RunningServer | undefined;
  #failures: string[] = [];
  readonly #strict: boolean;
  #closeServer: (graceful: boolean) => Promise<void> = async () => {};

  private constructor(directory: string, strict: boolean) {
    this.directory = directory;
    this.#strict = strict;
    this.clock = new VirtualClock(undefined, () => this.#store?.settle() ?? Promise.resolve());
    this.network = new MemoryNetwork(this.clock, this.random);
  }

  /** `strict`: devices are refused what is otherwise tolerated. */
  static async open(limits: Partial<OperationServiceLimits> = {}, strict = false): Promise<ServerWorld> {
    const world = new ServerWorld(await mkdtemp(join(tmpdir(), "server-world-")), strict);
    await world.start(limits);
    return world;
  }

  get server(): RunningServer {
    if (this.#server === undefined) throw new Error("no server runs");
    return this.#server;
  }

  /** The catalogue and the models of the server that runs. */
  get registry(): ObjectRegistry {
    return this.server.models.registry;
  }

  get store(): WatchedStore {
    if (this.#store === undefined) throw new Error("no store is open");
    return this.#store;
  }

  async start(limits: Partial<OperationServiceLimits> = {}): Promise<RunningServer> {
    const { clock, random } = this;
    const collections = [
      ...withOutbox,
      eventsDefinition,
      idempotencyCollection,
      packageCollection,
      modelCollection,
      linkProfileCollection,
      tracedDeviceCollection,
      toleranceCollection,
    ];
    const store = watchStore(await openWorldStore(this.directory, collections));
    this.#store = store;
    const failures: string[] = [];
    this.#failures = failures;
    const supervisor = openSupervisor({
      error: (message, fields) => failures.push(`${message}: ${fields?.["what"]}: ${fields?.["error"]}`),
    });
    const events = await openEventLog({ store, clock });
    const relay = await openOutboxRelay({
      log: events,
      clock,
      collections: withOutbox.map((definition) => store.collection<DocumentWithOutbox>(definition)),
    });
    const models = await openModelService({ store, clock, catalogue });
    const { registry } = models;
    const devices = openDeviceService({ store, relay, clock, supervisor });
    const plainSocket = this.network.socket(serverAddress);
    const securedSocket = this.network.socket(securedServerAddress);
    const { dtls } = await openDtlsDoor({
      ...{ door: "coaps", realm: "server", socket: securedSocket, clock, random: this.#securedRandom },
      settings: usualSettings(),
      log: { ...quiet, error: (message, fields) => failures.push(`${message}: ${fields?.["error"]}`) },
      credentials: this.credentials.restart(),
      journal: { store: new MemoryJournal(this.#journal, clock), key: journalKey },
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
    const leniency = new ToleranceLog({ store, clock, supervisor, strict: this.#strict });
    const registrations = await openRegistrationService({ store, relay, events, devices, clock, random, supervisor, links, secured });
    const mismatches = new MismatchReports({ clock, random, log: quiet, events, supervisor });
    const identities = new DeviceIdentities(this.credentials, "server", mismatches);
    watchSecuredDevices({ secured, registrations, identities, supervisor });
    const traces = await openTraceService({
      store,
      doors: [{ door: "coap", coap, endpointAt: (address) => registrations.endpointAt(address) }],
      all: false,
      limits: { messagesPerDevice: 100, bytes: 100_000 },
    });
    const remembered = await rememberObservations(store, registrations);
    const twins = openTwinService({ store, relay, registry, clock });
    const learn = twins.learn.bind(twins);
    const shared = { store, relay, devices, registrations, registry, coap, clock, random, supervisor, learn, leniency };
    const operations = openOperationService({ ...shared, limits });
    const observations = openObservationService({ ...shared, operations, remembered });
    const packages = openPackageService({ store, clock, random, maxBytes: maxPackageBytes });
    const packageUri = packageAddress({
      publicHost: undefined,
      bound: coap.local,
      securedPort: secured.port,
      registrations,
      findLocalAddressTowards: async () => undefined,
    });
    const onError = (error: unknown, what: string): void => supervisor.run(Promise.reject(error), what);
    const wakeUps = storeWakeUps({ clock, onError });
    const updates = openUpdateService({ ...shared, events, operations, packageUri, wakeUps });
    const servePackage = packageHandler({ updates, packages, now: () => clock.now() });
    const send = sendCoapRoute({ registrations, registry, clock, learn, leniency });
    coap.handle(coapRouter([registrationCoapRoute({ registrations, identities, leniency }), send, { prefix: "fw", handle: servePackage }]));
    await operations.start();
    this.#server = {
      coap,
      secured,
      events,
      devices,
      links,
      traces,
      registrations,
      operations,
      observations,
      twins,
      packages,
      updates,
      models,
      leniency,
      failures,
    };
    this.#closeServer = async (graceful) => {
      await updates.close();
      if (graceful) await operations.close();
      await coap.close();
      if (!graceful) await operations.close();
      await registrations.close();
      if (graceful) await leniency.close();
      await relay.close();
      await supervisor.settled();
      await store.close();
    };
    return this.#server;
  }

  async stop(): Promise<void> {
    await this.#closeServer(true);
    this.#server = undefined;
    this.#store = undefined;
  }

  /** As kill -9 would: what was not durable is lost, and nothing that runs on may write. */
  async kill(): Promise<void> {
    this.store.fail(new Error("the process was killed"));
    this.#journal = this.#journal.copy();
    await this.#closeServer(false).catch(() => {});
    this.#server = undefined;
    this.#store = undefined;
  }

  async close(): Promise<void> {
    if (this.#server !== undefined) await this.stop();
    this.network.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A part of the test failed in the background. */
  report(failure: string): void {
    this.#failures.push(failure);
  }

  until<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    return this.clock.until(promise, limitMs);
  }

  create(endpoint: string, request: OperationRequest): Promise<CreateOutcome> {
    return this.until(this.server.operations.create(endpoint, request, { actor: "test", traceId: "0".repeat(32) }));
  }

  /** Creates an operation and waits for its end. */
  async carryOut(endpoint: string, request: OperationRequest, timeoutMs = 1_000): Promise<Operation> {
    const outcome = await this.create(endpoint, request);
    if (!outcome.ok) throw new Error(`${request.kind} ${request.path} was refused: ${outcome.refusal.detail}`);
    const operation = await this.until(this.server.operations.waitFor(outcome.operation._id, timeoutMs));
    if (operation === undefined) throw new Error("the operation is gone");
    return operation;
  }

  async eventsOf(subject: string): Promise<readonly LoggedEvent[]> {
    await this.clock.advance(0);
    return this.until(this.server.events.read({ after: "", limit: 1_000, subject }));
  }

  async eventTypes(subject: string): Promise<readonly string[]> {
    return (await this.eventsOf(subject)).map(({ type }) => type);
  }
}
