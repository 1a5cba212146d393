/** The secured side of a door: DTLS over its own UDP port, with what the settings say of it. */

import { SessionMemory } from "@lwm2m/protocol/dtls/credentials/session-memory";
import { recordProtection } from "@lwm2m/protocol/dtls/crypto/back-end";
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint-contract";
import type { DtlsJournal } from "@lwm2m/protocol/dtls/journal/journal-contract";
import { recordKeyForm } from "@lwm2m/protocol/platform/record-key-form";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket, SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import { BoundedLines } from "../bounded-lines.ts";
import type { Log } from "../log.ts";
import { elapsedMs } from "../platform/elapsed.ts";
import type { DeviceCredentials, Realm } from "../security/device-credentials.ts";
import type { Settings } from "../settings/config.ts";
import { connectionIdOwner, dtlsLimits, handshakeMs, handshakeSettings } from "../settings/dtls-settings.ts";
import { dtlsNewsLog } from "./dtls-news.ts";
import { RecentRemovals } from "./recent-removals.ts";

export interface DtlsDoorSettings {
  readonly door: "coaps" | "bootstrap-coaps";
  readonly realm: Realm;
  /** Closed with the door. */
  readonly socket: DatagramSocket;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly credentials: DeviceCredentials;
  /** What lets connections outlive this process. Closed with the door. */
  readonly journal?: { readonly store: DtlsJournal; readonly key: Uint8Array; readonly formerKeys?: readonly Uint8Array[] };
  readonly logKey?: (line: string) => void;
}

export interface DtlsDoor {
  readonly dtls: DtlsEndpoint;
  /** One sentence when connections would not outlive this process now. */
  findFault(): string | undefined;
  /** Drops restored connections whose credential is gone by now. Once those above are there to hear of it; never rejects. */
  checkRestored(): Promise<void>;
}

/** The one it is called at, and some to fetch firmware by: those that were silent for longest go first. */
const connectionsPerDevice = 4;
/** A day, as RFC 5246 §F.1.4 suggests; in memory only. */
const sessions = { most: 100_000, lifetimeMs: 86_400_000 };
const faultLinesPerMinute = 5;
/** A journal that failed within this time is at fault. */
const faultMs = 60_000;

export async function openDtlsDoor(parts: DtlsDoorSettings): Promise<DtlsDoor> {
  const { door, realm, settings, clock, random, log, credentials, journal } = parts;
  const resumable = new SessionMemory(sessions, clock);
  const lines = new BoundedLines(clock, faultLinesPerMinute);
  let failedAt: number | undefined;
  const onFailure = (error: unknown): void => {
    failedAt = clock.now();
    const line = lines.take();
    if (line !== undefined) log.error("the journal of connections cannot be written", { door, error, ...line });
  };
  const dtls = await openDtlsEndpoint({
    socket: parts.socket,
    clock,
    random,
    server: { credentials: credentials.serverCredentials(realm), sessions: resumable },
    settings: handshakeSettings(settings),
    ownerId: connectionIdOwner(settings),
    limits: dtlsLimits(settings),
    protection: recordProtection({ random, keyForm: recordKeyForm }),
    elapsedMs,
    mostPerIdentity: connectionsPerDevice,
    ...(journal === undefined ? {} : { journal: { ...journal, onFailure } }),
    ...(parts.logKey === undefined ? {} : { logKey: parts.logKey }),
    onBug: (error) => log.error("DTLS failed", { door, error }),
  });
  const restored = dtls.counters["restored"] ?? 0;
  if (restored > 0) log.info("connections restored", { door, connections: restored });
  if ((dtls.counters["journalDiscarded"] ?? 0) > 0) {
    log.warn("the journal of connections is damaged, under another key or of another version: devices connect anew", { door });
  }
  dtls.onNews(dtlsNewsLog(log, clock, door));
  const removals = new RecentRemovals(clock, handshakeMs(settings));
  dtls.onNews((news) => {
    if (news.kind !== "connected") return;
    const { association } = news.peer;
    if (association?.identity === undefined || !removals.concern(association.identity, news.beganAt)) return;
    // In a turn of its own: the endpoint is still busy with the connection it tells of.
    clock.after(0, () => {
      resumable.forget(({ identity }) => identity !== undefined && removals.concern(identity, news.beganAt));
      dtls.disconnect(association.key, "credential-removed");
      log.info("connection dropped: its credential was removed during its handshake", { door });
    });
  });
  credentials.onRemoved((where, matches) => {
    if (where !== realm) return;
    removals.note(matches);
    const isGone = (identity: SecureIdentity | undefined): boolean => identity !== undefined && matches(identity);
    resumable.forget(({ identity }) => isGone(identity));
    const dropped = dtls.disconnectWhere(({ association }) => isGone(association?.identity));
    if (dropped > 0) log.info("connections dropped: their credential was removed", { door, connections: dropped });
  });
  return {
    dtls,
    async checkRestored() {
      if (restored === 0) return;
      try {
        const dropped = await dtls.dropUnwelcome();
        if (dropped > 0) log.info("connections dropped: their credential was removed before the start", { door, connections: dropped });
      } catch (error) {
        log.error("not every restored connection could be checked for its credential", { door, error });
      }
    },
    findFault() {
      const failing = failedAt !== undefined && clock.now() - failedAt < faultMs;
      return failing ? `the journal of the ${door} door cannot be written` : undefined;
    },
  };
}
