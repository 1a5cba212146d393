/** The life of a connection between its handshake and its end: established, replaced, evicted, closed, and the news of it. */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { NumberSlot, RowFlag, WordSlot } from "../connections/connection-slab.ts";
import { AlertDescription, ContentType } from "../constants.ts";
import type { SessionCache } from "../credentials-contract.ts";
import type { DtlsNews } from "../endpoint-contract.ts";
import type { ConnectionFacts, ConnectionKeys } from "../handshake-contract.ts";
import { encodeAlert } from "../wire/alert.ts";
import { AddressMoves } from "./address-moves.ts";
import type { CounterName } from "./counters.ts";
import { type Site, sendDatagram } from "./site.ts";

export type ClosedReason = Extract<DtlsNews, { kind: "closed" }>["reason"];

/** Where and when the handshake of a row began. */
interface Beginning {
  readonly address: SocketAddress;
  readonly beganAt: number;
}

const counterOf: { readonly [reason in ClosedReason]: CounterName } = {
  "close-notify": "closedByPeer",
  alert: "closedByAlert",
  local: "closedLocally",
  evicted: "evicted",
  aged: "aged",
  "credential-removed": "credentialRemoved",
};
/** Rows a new connection looks at for one that is stale when the table is full. */
const rowsLookedAt = 64;
const alertRoomBytes = 512;
const none = -1;

export class Associations {
  readonly moves: AddressMoves;
  readonly #site: Site;
  readonly #mostPerIdentity: number;
  /** What may be resumed at our server side. */
  readonly #sessions: SessionCache | undefined;
  readonly #alertOut = new Uint8Array(alertRoomBytes);
  /** Where the search for stale rows goes on. */
  #hand = 0;
  /** Called before a row is freed, so that a handshake that still hangs on it lets go. */
  onClose: (row: number) => void = () => {};

  constructor(site: Site, mostPerIdentity: number, sessions: SessionCache | undefined) {
    this.#site = site;
    this.#mostPerIdentity = mostPerIdentity;
    this.#sessions = sessions;
    this.moves = new AddressMoves(site.limits.unprovedAddresses);
  }

  /** A row for keys that were just agreed; -1 when there is no room even after looking for stale ones. */
  open(keys: ConnectionKeys, role: "client" | "server", address: SocketAddress): number {
    const { table, clock } = this.#site;
    const own = keys.connectionIds?.own;
    if (own !== undefined && own.length > 0 && table.findByOwnId(own, 0) !== none) return none;
    if (table.slab.isFull) this.#evictStale();
    return table.open(keys, role, address, clock.now());
  }

  /** Whatever was at this address or had this identity is replaced only now that the new one is proved (RFC 6347 §4.2.8). */
  establish(row: number, facts: ConnectionFacts, { address, beganAt }: Beginning): SocketAddress {
    const { table, counters, persistence } = this.#site;
    const atAddress = table.findByAddress(address);
    table.establish(row, { identity: facts.peerIdentity, serverName: facts.serverName });
    persistence.opened(row);
    const peer = table.addressOf(row);
    counters.connected += 1;
    if (facts.resumed) counters.resumed += 1;
    this.#site.tell({ kind: "connected", peer, resumed: facts.resumed, cipherSuite: facts.cipherSuite, beganAt });
    if (atAddress !== none) this.#replace(atAddress, peer);
    for (const twin of this.#superfluousTwins(row)) this.#replace(twin, peer);
    return peer;
  }

  /** `alert` undefined says nothing to the peer. */
  close(row: number, reason: ClosedReason, alert: AlertDescription | undefined): void {
    const { table, counters } = this.#site;
    const peer = table.addressOf(row);
    if (alert !== undefined) this.sendAlert(row, alert);
    if (reason === "alert") this.#forgetSessions(row);
    this.#free(row);
    counters[counterOf[reason]] += 1;
    this.#site.tell({ kind: "closed", peer, reason });
  }

  /** RFC 5246 §7.2.2: after a fatal alert nothing of the connection may be used to make another. */
  #forgetSessions(row: number): void {
    const { table } = this.#site;
    const identity = table.slab.has(row, RowFlag.client) ? undefined : table.associationOf(row).identity;
    if (identity !== undefined) this.#sessions?.forgetOf(identity);
  }

  /** A row whose handshake failed after its keys were agreed: nobody knew of it. */
  abandon(row: number): void {
    this.moves.forget(row);
    this.#site.table.free(row);
  }

  sendAlert(row: number, description: AlertDescription): void {
    const { records, table, counters, persistence } = this.#site;
    if (!records.maySeal(row)) return;
    const end = records.seal(row, ContentType.alert, encodeAlert(description), this.#alertOut, 0);
    counters.recordsOut += 1;
    persistence.wrote(row);
    if (!this.moves.spend(row, end)) return;
    sendDatagram(this.#site, this.#alertOut.subarray(0, end), this.moves.unproved(row) ?? table.addressOf(row));
  }

  /** True when the connection was too old and is closed. */
  closeIfAged(row: number, now: number): boolean {
    const { table, limits } = this.#site;
    if (now - table.slab.number(row, NumberSlot.openedAt) <= limits.mostAgeMs) return false;
    this.close(row, "aged", AlertDescription.closeNotify);
    return true;
  }

  /** A newer record of a row came from `from`: where is the peer now? Returns the address to show to the layer above. */
  heardFrom(row: number, from: SocketAddress, bytes: number, newest: boolean): SocketAddress {
    const { table } = this.#site;
    if (table.isAt(row, from)) {
      if (newest) this.moves.forget(row);
      return table.addressOf(row);
    }
    if (newest && this.moves.heardElsewhere(row, from, bytes)) return this.#settle(row, from);
    return { address: from.address, port: from.port, association: table.addressOf(row).association ?? table.associationOf(row) };
  }

  #settle(row: number, address: SocketAddress): SocketAddress {
    const { table, counters, persistence } = this.#site;
    const before = table.addressOf(row);
    table.setAddress(row, address);
    persistence.moved(row);
    counters.addressChanges += 1;
    const peer = table.addressOf(row);
    this.#site.tell({ kind: "address-changed", peer, before });
    return peer;
  }

  /** Those from the same address, for their peer began anew; and of the others, silent for longest first, what is too many now. */
  #superfluousTwins(row: number): readonly number[] {
    if (this.#mostPerIdentity === Number.POSITIVE_INFINITY) return [];
    const { table } = this.#site;
    const { slab } = table;
    const twins = table.twinsOf(row);
    if (twins.length === 0) return twins;
    const address = table.bareAddressOf(row);
    const isBefore = (one: number, other: number): number => slab.number(one, NumberSlot.heardAt) - slab.number(other, NumberSlot.heardAt);
    const elsewhere = twins.filter((twin) => !table.isAt(twin, address)).sort(isBefore);
    const excess = Math.max(0, elsewhere.length + 1 - this.#mostPerIdentity);
    return [...twins.filter((twin) => table.isAt(twin, address)), ...elsewhere.slice(0, excess)];
  }

  #replace(row: number, by: SocketAddress): void {
    const peer = this.#site.table.addressOf(row);
    this.#free(row);
    this.#site.counters.replaced += 1;
    this.#site.tell({ kind: "replaced", peer, by });
  }

  #free(row: number): void {
    const { table, persistence } = this.#site;
    this.onClose(row);
    this.moves.forget(row);
    persistence.closed(row);
    table.free(row);
  }

  /** The longest silent of the next few rows, when it was silent for long enough. */
  #evictStale(): void {
    const { table, clock, limits } = this.#site;
    const { slab } = table;
    const now = clock.now();
    let stalest = none;
    let mostSilence = 0;
    for (let looked = 0; looked < Math.min(rowsLookedAt, slab.end); looked++) {
      this.#hand = this.#hand + 1 < slab.end ? this.#hand + 1 : 0;
      const row = this.#hand;
      if (!slab.has(row, RowFlag.established)) continue;
      const silence = now - slab.number(row, NumberSlot.heardAt);
      const allowed = slab.word(row, WordSlot.idBytes) >>> 8 > 0 ? limits.staleWithIdAfterMs : limits.staleAfterMs;
      if (silence <= allowed || silence <= mostSilence) continue;
      stalest = row;
      mostSilence = silence;
    }
    if (stalest !== none) this.close(stalest, "evicted", undefined);
  }
}
