/** A DTLS 1.2 endpoint over one datagram socket, server and client at once (RFC 6347, RFC 9146): everything wired by hand. */
import type { DatagramSocket, SocketAddress } from "../../ports/datagram-socket.ts";
import { DeadlineQueue } from "../../timing/deadline-queue.ts";
import { HandshakeAdmission } from "../admission/handshake-admission.ts";
import { WorkTurns } from "../admission/work-turns.ts";
import { AssociationTable } from "../connections/association-table.ts";
import { RowFlag } from "../connections/connection-slab.ts";
import { AlertDescription } from "../constants.ts";
import { FrontDoor } from "../cookie/front-door.ts";
import type { ServerCredentials } from "../credentials-contract.ts";
import { recordProtection } from "../crypto/back-end.ts";
import type { DtlsNews } from "../endpoint-contract.ts";
import { ServerHandshake } from "../handshake/server-handshake.ts";
import { defaultHandshakeSettings, type HandshakeSettings } from "../handshake-contract.ts";
import { JournalKeeper } from "../journal/journal-keeper.ts";
import { readJournal } from "../journal/journal-reading.ts";
import { restoreRows } from "../journal/restore.ts";
import { RecordLayer } from "../record/record-layer.ts";
import { Associations } from "./associations.ts";
import { Connector } from "./connector.ts";
import { createDtlsCounters, type DtlsCounters } from "./counters.ts";
import { Handshakes } from "./handshakes.ts";
import { Inbound } from "./inbound.ts";
import { type DtlsLimits, defaultDtlsLimits } from "./limits.ts";
import type { MeasuredDtlsEndpoint } from "./occupancy.ts";
import { Sender } from "./sender.ts";
import type { DtlsEndpointParts, Persistence, Site } from "./site.ts";
import { dropUnwelcome } from "./welcome-check.ts";

/** Keys of associations go down from −1,024 × the time of opening: no two runs of a process give the same one (good until 2248). */
const keysPerMs = 1_024;
const cookieSecretBytes = 32;
const none = -1;

type Receive = (bytes: Uint8Array, from: SocketAddress) => void;

export async function openDtlsEndpoint(parts: DtlsEndpointParts): Promise<MeasuredDtlsEndpoint> {
  const listeners: ((news: DtlsNews) => void)[] = [];
  const core = makeCore(parts);
  const keeper = await restore(core);
  const site = makeSite(core, keeper ?? withoutJournal, (news) => {
    for (const listener of listeners) listener(news);
  });
  const mostPerIdentity = parts.onePerIdentity === false ? Number.POSITIVE_INFINITY : (parts.mostPerIdentity ?? 1);
  const associations = new Associations(site, mostPerIdentity, parts.server?.sessions);
  const sender = new Sender(site, associations);
  const handshakes = new Handshakes(site, associations, sender);
  const connector = new Connector(site, handshakes, parts.logKey);
  const receiver: { receive: Receive } = { receive: () => {} };
  const inbound = new Inbound(
    site,
    { associations, handshakes, frontDoor: parts.server === undefined ? undefined : new FrontDoor(site.random.bytes(cookieSecretBytes)) },
    {
      deliver: (bytes, from) => receiver.receive(bytes, from),
      accept: (hello, recordSequence, from) => acceptHello(parts, site, handshakes, { hello, recordSequence, from }),
    },
  );
  parts.socket.onDatagram((bytes, from) => inbound.receive(bytes, from));
  const life = new EndpointLife(site, associations, handshakes, { deadlines: core.deadlines, keeper });
  return {
    plaintext: plaintextSocket(site, sender, receiver, () => life.close(true)),
    connect: (address, credentials, control) => connector.connect(address, credentials, control?.signal),
    find: (association) => life.find(association),
    disconnect: (association, reason) => life.disconnect(association, reason ?? "local"),
    disconnectWhere: (matches) => life.disconnectWhere(matches),
    dropUnwelcome: () => life.dropUnwelcome(parts.server?.credentials),
    onNews: (listener) => {
      listeners.push(listener);
    },
    counters: site.counters,
    occupancy: () => ({
      connections: site.table.slab.live,
      handshakes: handshakes.runs.size,
      handshakesUnderWay: site.admission.underWay,
      handshakeBytes: site.admission.heldBytes,
      waitingWork: site.turns.waiting,
      unprovedAddresses: associations.moves.size,
    }),
    close: (control) => life.close(control?.persist ?? true),
  };
}

const nothing = (): void => {};
/** Nobody else can know the keys, so every sequence number may be used. */
const withoutJournal: Persistence = { opened: nothing, closed: nothing, moved: nothing, wrote: nothing, heard: nothing };

interface Core {
  readonly parts: DtlsEndpointParts;
  readonly deadlines: DeadlineQueue;
  readonly settings: HandshakeSettings;
  readonly limits: DtlsLimits;
  readonly counters: DtlsCounters;
  readonly table: AssociationTable;
  bug(error: unknown): void;
}

function makeCore(parts: DtlsEndpointParts): Core {
  const settings = { ...defaultHandshakeSettings, ...parts.settings };
  const limits = { ...defaultDtlsLimits, ...parts.limits };
  const counters = createDtlsCounters();
  const table = new AssociationTable(
    {
      mostConnections: limits.connections,
      ownIdBytes: settings.connectionIdBytes ?? 0,
      ownerId: parts.ownerId ?? new Uint8Array(0),
      cachedAddresses: limits.cachedAddresses,
    },
    parts.random,
    -Math.floor(parts.clock.now() * keysPerMs) - 1,
  );
  const bug = (error: unknown): void => {
    counters.bugs += 1;
    parts.onBug?.(error);
  };
  return { parts, deadlines: new DeadlineQueue(parts.clock), settings, limits, counters, table, bug };
}

/** Takes over what the owner before left, and keeps the journal from then on. */
async function restore({ parts, table, limits, settings, counters, deadlines }: Core): Promise<JournalKeeper | undefined> {
  if (parts.journal === undefined) return undefined;
  const { store, key, formerKeys = [] } = parts.journal;
  const reading = readJournal(await store.takeOver(), [key, ...formerKeys]);
  const bounds = { now: parts.clock.now(), mostAgeMs: limits.mostAgeMs, ownIdBytes: settings.connectionIdBytes ?? 0 };
  counters.restored = restoreRows(table, reading, bounds);
  if (reading.discarded) counters.journalDiscarded += 1;
  const onFailure = (error: unknown): void => {
    counters.journalFailures += 1;
    parts.journal?.onFailure?.(error);
  };
  const keeper = new JournalKeeper({ journal: store, key, table, clock: deadlines, random: parts.random, onFailure });
  await keeper.begin();
  return keeper;
}

function makeSite({ parts, deadlines, settings, limits, counters, table, bug }: Core, persistence: Persistence, tell: Site["tell"]): Site {
  const { random, socket } = parts;
  const records = new RecordLayer(table, parts.protection ?? recordProtection({ random }));
  const elapsedMs = parts.elapsedMs ?? (() => parts.clock.now());
  const admission = new HandshakeAdmission(limits, random);
  const turns = new WorkTurns(deadlines, elapsedMs, { sliceMs: limits.workSliceMs, mostWaiting: limits.waitingWork });
  return { socket, clock: deadlines, random, settings, limits, counters, table, records, admission, turns, persistence, tell, bug };
}

function acceptHello(
  parts: DtlsEndpointParts,
  site: Site,
  handshakes: Handshakes,
  { hello, recordSequence, from }: { hello: Uint8Array; recordSequence: number; from: SocketAddress },
): void {
  const { server } = parts;
  if (server === undefined) return;
  const { counters, admission, clock, settings, random, table, turns } = site;
  const begin = (): void => {
    if (admission.isFull) handshakes.makeRoomFor(from);
    const verdict = admission.begin(from, clock.now());
    if (verdict !== "ok") {
      counters[verdict === "rate" ? "handshakesRefusedRate" : "handshakesRefusedBusy"] += 1;
      return;
    }
    const machine = new ServerHandshake({
      settings,
      credentials: server.credentials,
      sessions: server.sessions,
      random,
      verifiedHello: hello,
      ownConnectionId: table.newOwnId(),
      logKey: parts.logKey,
    });
    handshakes.begin({ role: "server", address: from, machine, hello, firstSequence: recordSequence });
  };
  const outcome = turns.take(begin);
  if (outcome === "waits") counters.handshakeWorkDelayed += 1;
  if (outcome === "dropped") counters.handshakeWorkDropped += 1;
}

function plaintextSocket(site: Site, sender: Sender, receiver: { receive: Receive }, close: () => Promise<void>): DatagramSocket {
  return {
    local: site.socket.local,
    send: (bytes, to) => sender.send(bytes, to),
    onDatagram: (receive) => {
      receiver.receive = receive;
    },
    close,
  };
}

class EndpointLife {
  readonly #site: Site;
  readonly #associations: Associations;
  readonly #handshakes: Handshakes;
  readonly #deadlines: DeadlineQueue;
  readonly #keeper: JournalKeeper | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    site: Site,
    associations: Associations,
    handshakes: Handshakes,
    rest: { deadlines: DeadlineQueue; keeper: JournalKeeper | undefined },
  ) {
    this.#site = site;
    this.#associations = associations;
    this.#handshakes = handshakes;
    this.#deadlines = rest.deadlines;
    this.#keeper = rest.keeper;
  }

  find(association: number): SocketAddress | undefined {
    const row = this.#rowOf(association);
    return row === none ? undefined : this.#site.table.addressOf(row);
  }

  disconnect(association: number, reason: "local" | "credential-removed"): void {
    const row = this.#rowOf(association);
    const alert = reason === "local" ? AlertDescription.closeNotify : AlertDescription.accessDenied;
    if (row !== none) this.#associations.close(row, reason, alert);
  }

  dropUnwelcome(credentials: ServerCredentials | undefined): Promise<number> {
    if (credentials === undefined) return Promise.resolve(0);
    return dropUnwelcome({
      site: this.#site,
      associations: this.#associations,
      credentials,
      isOver: () => this.#closed !== undefined,
    });
  }

  disconnectWhere(matches: (address: SocketAddress) => boolean): number {
    const doomed = this.#established().filter((row) => matches(this.#site.table.addressOf(row)));
    for (const row of doomed) this.#associations.close(row, "credential-removed", AlertDescription.accessDenied);
    return doomed.length;
  }

  close(persist: boolean): Promise<void> {
    this.#closed ??= this.#end(persist);
    return this.#closed;
  }

  async #end(persist: boolean): Promise<void> {
    this.#handshakes.close();
    if (!persist) for (const row of this.#established()) this.#associations.close(row, "local", AlertDescription.closeNotify);
    this.#site.turns.close();
    this.#deadlines.close();
    await this.#site.socket.close();
    await this.#keeper?.close();
    this.#site.table.close();
  }

  #rowOf(association: number): number {
    const { table } = this.#site;
    const row = table.findByKey(association);
    return row === none || !table.slab.has(row, RowFlag.established) ? none : row;
  }

  #established(): number[] {
    const { slab } = this.#site.table;
    const rows: number[] = [];
    for (let row = 0; row < slab.end; row++) {
      if (slab.has(row, RowFlag.established)) rows.push(row);
    }
    return rows;
  }
}
