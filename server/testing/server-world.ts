/** The device-facing features wired as the application does, on the real store, the virtual clock and the memory network. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { JournalDisk } from "@lwm2m/protocol/dtls/testing/memory-journal";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { LoggedEvent } from "../events/event.ts";
import type { CreateOutcome, Operation, OperationRequest } from "../operations/operation.ts";
import type { OperationServiceLimits } from "../operations/operation-limits.ts";
import type { Store } from "../storage/store.ts";
import { MemoryCredentials } from "./memory-credentials.ts";
import { type WatchedStore, watchStore } from "./watched-store.ts";
import { worldCollections } from "./world-collections.ts";
import { type OpenedServer, openWorldServer, type RunningServer, type WorldServerParts } from "./world-server.ts";
import { openWorldStore } from "./world-store.ts";

export const serverAddress = { address: "10.0.0.1", port: 5683 };
export const securedServerAddress = { address: "10.0.0.1", port: 5684 };

const firstAddresses = { plain: serverAddress, secured: securedServerAddress };

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
  #opened: OpenedServer | undefined;
  readonly #strict: boolean;
  /** In force from the next start on. */
  unknownDevices: WorldServerParts["unknownDevices"];
  readonly #leaseMs: number | undefined;

  private constructor(directory: string, strict: boolean, leaseMs?: number) {
    this.directory = directory;
    this.#strict = strict;
    this.#leaseMs = leaseMs;
    this.clock = new VirtualClock(undefined, () => this.#store?.settle() ?? Promise.resolve());
    this.network = new MemoryNetwork(this.clock, this.random);
  }

  /** `strict`: devices are refused what is otherwise tolerated. */
  static async open(limits: Partial<OperationServiceLimits> = {}, strict = false): Promise<ServerWorld> {
    const world = new ServerWorld(await mkdtemp(join(tmpdir(), "server-world-")), strict);
    await world.start(limits);
    return world;
  }

  /** An open store without a server: several join it. Each is taken for gone when it has not said anything for `leaseMs`. */
  static async openShared(leaseMs: number): Promise<ServerWorld> {
    const world = new ServerWorld(await mkdtemp(join(tmpdir(), "server-world-")), false, leaseMs);
    await world.#openStore();
    return world;
  }

  get server(): RunningServer {
    if (this.#opened === undefined) throw new Error("no server runs");
    return this.#opened.server;
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
    const store = await this.#openStore();
    this.#opened = await openWorldServer({ ...this.#parts(store, limits), addresses: firstAddresses });
    return this.#opened.server;
  }

  /** A server on the shared store (`through`: how it sees it), at addresses of its own; whoever opens it closes it, before the world. */
  join(addresses: WorldServerParts["addresses"], through: (store: Store) => Store = (store) => store): Promise<OpenedServer> {
    return openWorldServer({ ...this.#parts(this.store, {}), store: through(this.store), journal: new JournalDisk(), addresses });
  }

  async #openStore(): Promise<WatchedStore> {
    const opened = await openWorldStore(this.directory, worldCollections);
    // Several servers number events of their own: such a store does not commit them beside a document.
    const { commitsTogether: _, ...ofSeveral } = opened;
    this.#store = watchStore(this.#leaseMs === undefined ? opened : ofSeveral);
    return this.#store;
  }

  #parts(store: WatchedStore, limits: Partial<OperationServiceLimits>): Omit<WorldServerParts, "addresses"> {
    const { clock, network, random, credentials } = this;
    return {
      ...{ store, clock, network, random, credentials, limits },
      securedRandom: this.#securedRandom,
      journal: this.#journal,
      strict: this.#strict,
      ...(this.unknownDevices === undefined ? {} : { unknownDevices: this.unknownDevices }),
      ...(this.#leaseMs === undefined ? {} : { leaseMs: this.#leaseMs }),
    };
  }

  async stop(): Promise<void> {
    await this.#opened?.close(true);
    await this.#store?.close();
    this.#opened = undefined;
    this.#store = undefined;
  }

  /** As kill -9 would: what was not durable is lost, and nothing that runs on may write. */
  async kill(): Promise<void> {
    this.store.fail(new Error("the process was killed"));
    this.#journal = this.#journal.copy();
    await this.#opened?.close(false).catch(() => {});
    await this.store.close();
    this.#opened = undefined;
    this.#store = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    this.network.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A part of the test failed in the background. */
  report(failure: string): void {
    this.server.report(failure);
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
