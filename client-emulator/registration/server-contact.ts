/** Whom the device talks to: the server of its configuration, or the bootstrap server until there is one (LwM2M Core 1.1 §6.1.2). */
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingRequest, OutgoingResponse, Peer, RequestOutcome } from "@lwm2m/protocol/coap/message";
import type { Timer } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { BootstrapSession } from "../bootstrap/bootstrap-session.ts";
import { bootstrapAccount, schemeProblem, usableAccount } from "../bootstrap/consistency.ts";
import type { Lwm2mClientOptions } from "../client-options.ts";
import { findCoapUri } from "../coap-uri.ts";
import type { SecurityAccount } from "../objects/security-object.ts";
import { type ServerSettings, serverSettings, standardServerSettings } from "../objects/server-object.ts";
import { announcedFormats, type PayloadSettings } from "../payload-door.ts";
import type { ClientTransport } from "../security/client-transport.ts";
import { CredentialShelf } from "../security/credential-shelf.ts";
import { usualDtls } from "../security/dtls-client-settings.ts";
import { ServerLink } from "../security/server-link.ts";
import { registrationLinks } from "../tree/discover.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import type { UpdateChanges } from "./registration-machine.ts";
import { ServerSession } from "./server-session.ts";

export interface ContactOptions {
  readonly client: Lwm2mClientOptions;
  readonly endpoint: CoapEndpoint;
  readonly transport: ClientTransport;
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly beforeSend: () => void;
  readonly onRegistered: () => void;
  readonly onUpdated: () => void;
  /** The server told the device to go away for a while: it neither speaks nor listens until `beforeSend`. */
  readonly onDisabled: () => void;
  /** The bootstrap server takes over: what the former server had here is void. */
  readonly onBootstrap: () => void;
  /** The device has a new configuration: worth keeping. */
  readonly onConfigured: () => void;
  readonly log: (message: string) => void;
}

/** Between two tries to find the address of a server by its name. */
const resolveRetryMs = 30_000;

export class ServerContact {
  readonly #options: ContactOptions;
  readonly #shelf: CredentialShelf;
  #session: ServerSession | undefined;
  #bootstrap: BootstrapSession | undefined;
  #shortServerId = standardServerSettings.shortServerId;
  #retry: Timer | undefined;
  /** Grows whenever the device forgets its contacts: what was under way before has no say any more. */
  #generation = 0;

  constructor(options: ContactOptions) {
    this.#options = options;
    const { clock, dtls, trustAnchors = [] } = options.client;
    this.#shelf = new CredentialShelf({
      anchors: trustAnchors,
      cipherSuites: (dtls ?? usualDtls).cipherSuites,
      now: () => clock.now(),
    });
  }

  get registered(): boolean {
    const kind = this.#session?.state.kind;
    return kind === "registered" || kind === "updating";
  }

  get bootstrapping(): boolean {
    return this.#bootstrap?.active === true;
  }

  get busy(): boolean {
    return this.bootstrapping || this.#session?.busy === true;
  }

  /** Undefined for a stranger. A server that already asks while its answer to Register is on the way is no stranger. */
  roleOf(peer: Peer): "server" | "bootstrap-server" | undefined {
    if (this.bootstrapping && peer.key === this.#bootstrap?.peer?.key) return "bootstrap-server";
    return peer.key === this.#session?.peer?.key ? "server" : undefined;
  }

  /** The registered server, if that is who serves at this address. */
  serverAt({ address, port }: SocketAddress): Peer | undefined {
    const session = this.#session;
    return session?.address.address === address && session.address.port === port ? session.peer : undefined;
  }

  /** A request of the device's own to the server it is registered with, for which it wakes up; undefined when there is none. */
  async send(request: OutgoingRequest): Promise<RequestOutcome | undefined> {
    const peer = this.registered ? this.#session?.peer : undefined;
    if (peer === undefined) return undefined;
    this.#options.beforeSend();
    return this.#options.endpoint.request(peer, request);
  }

  serveBootstrap(request: IncomingRequest): OutgoingResponse {
    if (this.#bootstrap === undefined) throw new Error("no bootstrap session to serve");
    return this.#bootstrap.serve(request);
  }

  /** While a bootstrap server rewrites /1 the server may be missing from it: then the defaults of the standard hold. */
  settings(): ServerSettings {
    return serverSettings(this.#options.tree, this.#shortServerId) ?? standardServerSettings;
  }

  /** Throws when there is nobody to talk to. */
  async connect(): Promise<void> {
    const { tree } = this.#options;
    const account = usableAccount(tree, this.#check);
    const bootstrap = bootstrapAccount(tree);
    const chosen = account ?? bootstrap;
    if (chosen === undefined) throw new Error("neither a server nor a bootstrap server is configured");
    const link = await this.#linkTo(chosen);
    if (link === undefined) return;
    if (account === undefined) this.#startBootstrap(link);
    else this.#startSession(link, account.shortServerId ?? this.#shortServerId, bootstrap !== undefined);
  }

  async rebootstrap(): Promise<void> {
    const account = bootstrapAccount(this.#options.tree);
    const link = account === undefined ? undefined : await this.#linkTo(account);
    if (link !== undefined) this.#startBootstrap(link);
  }

  update(changes: UpdateChanges): void {
    this.#session?.update(changes);
  }

  disable(disableMs: number): void {
    this.#session?.disable(disableMs);
  }

  async deregister(): Promise<void> {
    this.#generation += 1;
    this.#retry?.cancel();
    this.#bootstrap?.stop();
    await this.#session?.stop();
  }

  /** Without a word to anybody. */
  forget(): void {
    this.#generation += 1;
    this.#retry?.cancel();
    this.#session?.reset();
    this.#bootstrap?.stop();
  }

  readonly #check = (account: SecurityAccount): string | undefined => this.#shelf.problemOf(account);

  /** Undefined when there is no way to it (then this device tries again by itself) or when it is not wanted any more. */
  async #linkTo(account: SecurityAccount): Promise<ServerLink | undefined> {
    const { client, endpoint, transport, log } = this.#options;
    const generation = this.#generation;
    const target = findCoapUri(account.uri);
    const problem = schemeProblem(account) ?? this.#check(account);
    const address = target === undefined || problem !== undefined ? undefined : await client.resolveHost(target.host);
    if (generation !== this.#generation) return undefined;
    if (target === undefined || address === undefined) {
      log(problem === undefined ? `no address for ${account.uri}` : `${account.uri}: ${problem}`);
      this.#retry?.cancel();
      this.#retry = client.clock.after(resolveRetryMs, () => void this.connect());
      return undefined;
    }
    const credentials = this.#shelf.credentialsOf(account);
    const { clock, onBug } = client;
    const link = await ServerLink.open({ transport, endpoint, address: { address, port: target.port }, credentials, clock, log, onBug });
    return generation === this.#generation ? link : undefined;
  }

  #startSession(link: ServerLink, shortServerId: number, hasBootstrapAccount: boolean): void {
    const { client, endpoint, tree, beforeSend, onRegistered, onUpdated, onDisabled, log } = this.#options;
    const { settings, clock, endpointName } = client;
    this.#shortServerId = shortServerId;
    this.#session?.reset();
    this.#session = new ServerSession({
      endpoint,
      link,
      clock,
      endpointName,
      lwm2mVersion: settings.lwm2mVersion,
      queueMode: settings.queueMode,
      updateEveryMs: settings.queueMode && settings.sleepSeconds !== undefined ? settings.sleepSeconds * 1_000 : undefined,
      hasBootstrapAccount,
      settings: () => this.settings(),
      objectLinks: () => registrationLinks(tree, settings.lwm2mVersion, announcedFormats(settings.lwm2mVersion)),
      beforeSend,
      onRegistered,
      onUpdated,
      onDisabled,
      onBootstrap: () => void this.rebootstrap(),
      log,
    });
    this.#session.start();
  }

  #startBootstrap(link: ServerLink): void {
    const { client, endpoint, tree, payloads, beforeSend, onBootstrap, onConfigured, log } = this.#options;
    const { clock, endpointName } = client;
    beforeSend();
    onBootstrap();
    this.#session?.reset();
    this.#session = undefined;
    this.#bootstrap?.stop();
    const onFinished = (): void => {
      onConfigured();
      void this.connect();
    };
    const checkCredential = this.#check;
    this.#bootstrap = new BootstrapSession({ endpoint, link, clock, tree, payloads, endpointName, checkCredential, onFinished, log });
    this.#bootstrap.start();
  }
}
