/** The one place that wires the server: opened from the store upwards, closed in reverse. The features are wired in `features.ts`. */
import { isIPv6 } from "node:net";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { Closers } from "./closers.ts";
import { collections, outboxCollections, sealedCollections } from "./collections.ts";
import { openConfiguredStore } from "./configured-store.ts";
import { openSecurityStore } from "./credentials/security-store.ts";
import type { CoapDoor } from "./doors/coap-door.ts";
import { doorRoutes } from "./doors/door-http.ts";
import { bindDoors } from "./doors/doors.ts";
import { openPressureGate } from "./doors/pressure-gate.ts";
import type { EventType } from "./events/event.ts";
import { eventRoutes } from "./events/event-http.ts";
import { openEventLog } from "./events/event-log.ts";
import { openOutboxRelay } from "./events/outbox-relay.ts";
import { openFeatures } from "./features.ts";
import { apiPrefix, type HttpDoor, openHttpDoor } from "./http/door.ts";
import { healthRoutes, versionRoute } from "./http/health-http.ts";
import { openApiRoute } from "./http/openapi.ts";
import { pressedRoutes } from "./http/pressure-http.ts";
import type { Log } from "./log.ts";
import { openMetrics } from "./metrics/metrics.ts";
import { metricsRoute } from "./metrics/metrics-http.ts";
import { openConfiguredWakeUps } from "./queue/configured-wake-ups.ts";
import { type Authenticate, bearerCheck, openAdministratorKey } from "./security/api-key.ts";
import { openSecretBox, sealAnew } from "./security/sealed-documents.ts";
import { findSecretKeyWarning } from "./security/secret-key-file.ts";
import type { Settings } from "./settings/config.ts";
import { StartError } from "./start-error.ts";
import { type CollectionDefinition, StorageUnavailableError } from "./storage/collection.ts";
import { openProcessOwner } from "./storage/process-owner.ts";
import { type Store, StoreOpenError } from "./storage/store.ts";
import { watchPressure } from "./storage/store-pressure.ts";
import { openStoreUpkeep } from "./store-operations/store-upkeep.ts";
import { StoreWait } from "./store-wait.ts";
import { openSupervisor } from "./supervisor.ts";
import { serverVersion } from "./version.ts";

export interface AppDeps {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** In tests: filters without an index and replies that do not fit their schema are errors. */
  readonly strict?: boolean;
  /** In benches: the store in place of the one that the settings ask for. */
  readonly openStore?: (definitions: readonly CollectionDefinition[]) => Promise<Store>;
  /** Resolves when the server is to stop: a start that waits for its store is given up then. */
  readonly stopAsked?: Promise<unknown>;
}

export interface App {
  readonly httpOrigin: string;
  readonly coapPort: number;
  readonly coapsPort: number;
  readonly bootstrapCoapPort: number;
  readonly bootstrapCoapsPort: number;
  /** Set when this start made the administrator key. */
  readonly newKey: string | undefined;
  close(): Promise<void>;
}

/** Requests under way get this long when the server stops. */
const httpGraceMs = 2_000;
const loggedEvents: readonly EventType[] = ["device.registered", "device.deregistered", "device.expired"];
/** A store that needs longer for one small write is not ready for devices. */
const probeTimeoutMs = 2_000;

/** Rejects with `StartError` for what the person who started it can mend, with `StartAbandoned` when told to stop; whatever was opened is closed again. */
export async function openApp(deps: AppDeps): Promise<App> {
  const wait = new StoreWait({ ...deps, openWaitingDoor: (reason) => openWaitingDoor(deps, reason) });
  let key: Promise<AdministratorKey> | undefined;
  const parts = { wait, key: () => (key ??= administratorKey(deps)) };
  try {
    for (;;) {
      const closers = new Closers(deps.log);
      try {
        return await open(deps, { ...parts, closers });
      } catch (error) {
        await closers.close();
        if (!(error instanceof StorageUnavailableError) || !comesBack(deps)) throw error;
        await wait.pause("the store went away while the server started", error);
      }
    }
  } catch (error) {
    if (error instanceof StoreOpenError) throw new StartError(error.message);
    if (error instanceof StorageUnavailableError) throw new StartError(`the store went away while the server started: ${error.message}`);
    throw error;
  } finally {
    await wait.close();
  }
}

/** What fails in the embedded store, a full disk for one, does not pass by itself. */
function comesBack({ openStore, settings }: AppDeps): boolean {
  return openStore !== undefined || settings.mongoUrl !== undefined;
}

interface StartParts {
  readonly closers: Closers;
  readonly wait: StoreWait;
  /** Made by the first start that comes so far, whichever start succeeds. */
  readonly key: () => Promise<AdministratorKey>;
}

async function open(deps: AppDeps, { closers, wait, key: openKey }: StartParts): Promise<App> {
  const { settings, log, clock } = deps;
  const storage = await openStorage(deps, closers, wait);
  const onOpened = (what: string, close: () => Promise<void>): void => closers.add(what, close);
  const { coap, bootstrap, openAll } = await bindDoors({ ...deps, ...storage, credentials: storage.security, onOpened });
  const features = await openFeatures(
    { ...deps, ...storage },
    { coap: coap.endpoint, secured: coap.secured, bootstrap: bootstrap.endpoint, securedBootstrap: bootstrap.secured },
    onOpened,
  );

  const numbers = () => ({
    doors: [coap.numbers(), bootstrap.numbers()],
    messages: [coap.messages(), bootstrap.messages()],
    identityMismatches: features.identityMismatches,
    refusedDevices: features.refusedDevices,
    registrations: features.registrations,
  });
  let isOpen = false;
  let authenticate: Authenticate = () => undefined;
  const eventDoor = { log: storage.events, clock, maxStreams: settings.eventStreams };
  const http = await openHttp(deps, {
    routes: pressedRoutes(
      [...features.routes, ...eventRoutes(eventDoor), ...doorRoutes(numbers), versionRoute(serverVersion())],
      { pressure: storage.pressure, putOff: storage.gate.putOff },
      (putOff) => [metricsRoute(openMetrics({ ...storage, doors: numbers, putOff }))],
    ),
    openRoutes: healthRoutes({ findFaults: () => findFaults(storage.store, clock, doorFaults(isOpen, [coap, bootstrap])) }),
    authenticate: (authorization) => authenticate(authorization),
  });
  closers.add("HTTP door", () => {
    isOpen = false;
    return http.close(httpGraceMs);
  });

  // Made when nothing else can fail: its first showing is its only one.
  const key = await openKey();
  authenticate = bearerCheck(key.key);
  // Nothing was sent so far: a start that failed has disturbed no device.
  await features.start();
  openAll();
  isOpen = true;
  log.info("listening", { door: "http", address: http.address, port: http.port });
  return {
    httpOrigin: originOf(http),
    coapPort: coap.endpoint.local.port,
    coapsPort: coap.secured.port,
    bootstrapCoapPort: bootstrap.endpoint.local.port,
    bootstrapCoapsPort: bootstrap.secured.port,
    newKey: key.isNew ? key.key : undefined,
    close: () => closers.close(),
  };
}

async function openStorage(deps: AppDeps, closers: Closers, wait: StoreWait) {
  const { settings, log, clock, random } = deps;
  const supervisor = openSupervisor(log);
  const opened = (await deps.openStore?.(collections)) ?? (await openConfiguredStore({ ...deps, collections, wait }));
  closers.add("store", () => opened.close());
  // Its port is wanted now.
  await wait.end();
  const { store, pressure } = watchPressure(opened, clock);
  const owner = await openProcessOwner({
    ...{ store, clock, random, leaseMs: settings.processLeaseSeconds * 1_000 },
    onError: (error: unknown) => log.warn("cannot tell other processes that this one is alive", { error }),
    onNews: (message, name) => log.warn(message, { process: name }),
  });
  closers.add("place among the processes", () => owner.close());
  const wakeUps = await openConfiguredWakeUps({ settings, clock, log, supervisor });
  closers.add("wake-up queue", () => wakeUps.close());
  closers.add("background work", () => supervisor.settled());
  const keyFile = { file: settings.secretKeyFile, dataDir: settings.dataDir };
  closers.add(
    "store upkeep",
    await openStoreUpkeep({ ...deps, store: opened, dataDir: settings.dataDir, telemetryDays: settings.telemetryDays }),
  );
  const secrets = await openSecretBox({ store, clock, random, keyFile });
  const keyWarning = await findSecretKeyWarning(keyFile);
  if (keyWarning !== undefined) log.warn(keyWarning);
  const events = await openEventLog({
    store,
    clock,
    retainedEvents: settings.eventCount,
    onError: (error: unknown) => log.error("the event log failed", { error }),
  });
  // What an operator at a terminal wants to see; the rest is in the event feed.
  events.subscribe((news) => {
    for (const { type, subject } of news) if (loggedEvents.includes(type)) log.info(type, { endpoint: subject });
  });
  const relay = await openOutboxRelay({
    log: events,
    collections: outboxCollections.map((definition) => store.collection(definition)),
    clock,
    onError: (error: unknown) => log.error("events wait to be relayed", { error }),
  });
  closers.add("outbox relay", () => relay.close());
  const sealed = await sealAnew(store, secrets, sealedCollections);
  if (sealed > 0) log.info("secrets sealed anew", { documents: sealed, keyId: secrets.keyId });
  const security = await openSecurityStore({ store, relay, clock, random, supervisor, secrets });
  return { supervisor, store, pressure, gate: openPressureGate(pressure, random), wakeUps, owner, secrets, security, events, relay };
}

interface AdministratorKey {
  readonly key: string;
  readonly isNew: boolean;
}

function administratorKey({ settings, random }: AppDeps): Promise<AdministratorKey> {
  if (settings.apiKey !== undefined) return Promise.resolve({ key: settings.apiKey, isNew: false });
  return openAdministratorKey(settings.dataDir, random);
}

type DoorParts = Pick<Parameters<typeof openHttpDoor>[0], "routes" | "openRoutes" | "authenticate">;

async function openHttp({ settings, log, clock, random, strict }: AppDeps, parts: DoorParts): Promise<HttpDoor> {
  const { httpHost: host, httpPort: port } = settings;
  const document = openApiRoute({ ...parts, version: serverVersion(), prefix: apiPrefix });
  try {
    return await openHttpDoor({
      ...parts,
      routes: [...parts.routes, document],
      ...{ host, port, clock, random, log },
      bodyBytes: settings.httpBodyBytes,
      maxWaitSeconds: settings.maxWaitSeconds,
      requestTimeoutMs: settings.httpRequestSeconds * 1_000,
      checkReplies: strict ?? false,
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (typeof code !== "string") throw error;
    const reasons: { readonly [code: string]: string } = {
      EADDRINUSE: "the port is in use; stop the other program or set HTTP_PORT",
      EACCES: "not allowed (ports below 1024 need privileges); set HTTP_PORT",
      EADDRNOTAVAIL: "this machine has no such address; set HTTP_HOST",
      ENOTFOUND: "the name is not known; set HTTP_HOST",
    };
    throw new StartError(`cannot listen on tcp ${host} port ${port}: ${reasons[code] ?? code}`);
  }
}

/** While there is no store yet: alive, not ready, and everything else is 503. */
async function openWaitingDoor(deps: AppDeps, reason: string): Promise<{ close(): Promise<void> }> {
  const door = await openHttp(deps, {
    routes: [],
    openRoutes: healthRoutes({ findFaults: async () => [reason] }),
    authenticate: () => {
      throw new StorageUnavailableError(reason);
    },
  });
  deps.log.info("waiting", { door: "http", address: door.address, port: door.port });
  return { close: () => door.close(0) };
}

function doorFaults(isOpen: boolean, doors: readonly CoapDoor[]): readonly string[] {
  if (!isOpen) return ["the doors are not open: the server starts or stops"];
  return doors.map((door) => door.findFault()).filter((fault) => fault !== undefined);
}

async function findFaults(store: Store, clock: Clock, faults: readonly string[]): Promise<readonly string[]> {
  const probe = store.probe().then(
    () => undefined,
    () => "the store refuses to write",
  );
  const late = new Promise<string>((resolve) => {
    const timer = clock.after(probeTimeoutMs, () => resolve(`the store did not answer within ${probeTimeoutMs} ms`));
    probe.finally(() => timer.cancel()).catch(() => {});
  });
  const fault = await Promise.race([probe, late]);
  return fault === undefined ? faults : [...faults, fault];
}

/** Where this machine reaches the door itself. */
function originOf({ address, port }: HttpDoor): string {
  if (address === "0.0.0.0" || address === "::") return `http://localhost:${port}`;
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}
