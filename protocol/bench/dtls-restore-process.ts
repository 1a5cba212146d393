/** Makes connections, journals them, forgets them, and opens an endpoint on what is left. Needs --expose-gc. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AssociationTable } from "../dtls/connections/association-table.ts";
import { openDtlsEndpoint } from "../dtls/endpoint/dtls-endpoint.ts";
import type { ConnectionKeys } from "../dtls/handshake-contract.ts";
import { JournalKeeper } from "../dtls/journal/journal-keeper.ts";
import { openDtlsJournalFile } from "../platform/dtls-journal-file.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { DatagramSocket } from "../ports/datagram-socket.ts";

export interface RestoreMeasurement {
  readonly readyMs: number;
  readonly bytesPerConnection: number;
  readonly collectionMs: number;
}

const connections = Number(process.argv[2]);
const ownIdBytes = 8;
const nanosecondsPerMs = 1e6;
const folder = await mkdtemp(join(tmpdir(), "dtls-restore-"));
try {
  process.send?.(await measure());
} finally {
  await rm(folder, { recursive: true });
}

async function measure(): Promise<RestoreMeasurement> {
  await leaveBehind();
  const store = await openDtlsJournalFile(folder);
  const before = collectedBytes();
  const startedAt = process.hrtime.bigint();
  const journal = { store, key: new Uint8Array(32), onFailure: fail };
  const endpoint = await openDtlsEndpoint({ socket: deafSocket(), clock: systemClock, random: systemRandom, journal });
  const readyMs = elapsedMs(startedAt);
  if (endpoint.counters["restored"] !== connections) throw new Error(`${endpoint.counters["restored"]} restored`);
  const bytesPerConnection = (collectedBytes() - before) / connections;
  const collectedAt = process.hrtime.bigint();
  gc?.();
  const collectionMs = elapsedMs(collectedAt);
  await endpoint.close();
  return { readyMs, bytesPerConnection, collectionMs };
}

/** What an owner leaves that is killed right after its snapshot. */
async function leaveBehind(): Promise<void> {
  const settings = { mostConnections: connections, ownIdBytes, ownerId: Uint8Array.of(1), cachedAddresses: 0 };
  const table = new AssociationTable(settings, systemRandom, -1);
  for (let i = 0; i < connections; i++) {
    const address = [10, i >> 16, (i >> 8) & 0xff, i & 0xff].join(".");
    const row = table.open(keysWith(table.newOwnId()), "server", { address, port: 5_683 }, systemClock.now());
    table.establish(row, {
      identity: { kind: "psk", identity: Buffer.from(`urn:imei:${350_000_000_000_000 + i}`) },
      serverName: undefined,
    });
  }
  const journal = await openDtlsJournalFile(folder);
  await journal.takeOver();
  const parts = { journal, key: new Uint8Array(32), table, clock: systemClock, random: systemRandom, onFailure: fail };
  await new JournalKeeper(parts).begin();
  await journal.close();
}

function keysWith(own: Uint8Array): ConnectionKeys {
  const none = new Uint8Array(0);
  return {
    cipherSuite: 0xc0a8,
    encryptThenMac: false,
    clientMacKey: none,
    serverMacKey: none,
    clientKey: new Uint8Array(16).fill(1),
    serverKey: new Uint8Array(16).fill(2),
    clientIv: new Uint8Array(4).fill(3),
    serverIv: new Uint8Array(4).fill(4),
    connectionIds: { own, peer: new Uint8Array(0), draft: false },
    largestSendBytes: 16_384,
    largestReceiveBytes: 16_384,
  };
}

function deafSocket(): DatagramSocket {
  return { local: { address: "127.0.0.1", port: 5_684 }, send: () => {}, onDatagram: () => {}, close: async () => {} };
}

function fail(error: unknown): never {
  throw error;
}

function elapsedMs(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / nanosecondsPerMs;
}

/** Buffers count as a whole here, used to the end or not. */
function collectedBytes(): number {
  if (gc === undefined) throw new Error("to be started with --expose-gc");
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
