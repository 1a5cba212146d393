/** What the parts of one endpoint share, wired by hand in `dtls-endpoint.ts`. */
import type { Clock } from "../../ports/clock.ts";
import type { DatagramSocket, SocketAddress } from "../../ports/datagram-socket.ts";
import type { Random } from "../../ports/random.ts";
import type { HandshakeAdmission } from "../admission/handshake-admission.ts";
import type { WorkTurns } from "../admission/work-turns.ts";
import type { AssociationTable } from "../connections/association-table.ts";
import type { ServerCredentials, SessionCache } from "../credentials-contract.ts";
import type { RecordProtection } from "../crypto/record-protection.ts";
import type { DtlsNews } from "../endpoint-contract.ts";
import type { HandshakeSettings } from "../handshake-contract.ts";
import type { DtlsJournal } from "../journal/journal-contract.ts";
import type { RecordLayer } from "../record/record-layer.ts";
import type { DtlsCounters } from "./counters.ts";
import type { DtlsLimits } from "./limits.ts";

/** Everything an endpoint is opened with. */
export interface DtlsEndpointParts {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: a client only, which answers no ClientHello. */
  readonly server?: { readonly credentials: ServerCredentials; readonly sessions?: SessionCache };
  readonly settings?: Partial<HandshakeSettings>;
  readonly limits?: Partial<DtlsLimits>;
  /** How the connection ids given out begin: the process that owns the connections. */
  readonly ownerId?: Uint8Array;
  /** Live connections per identity and server name: a new one takes the place of the one silent for longest. Default 1. */
  readonly mostPerIdentity?: number;
  /** False: any number of them. */
  readonly onePerIdentity?: boolean;
  /** What lets connections outlive this process; absent, they end with it. The endpoint closes the journal with itself. */
  readonly journal?: {
    readonly store: DtlsJournal;
    /** 32 bytes that the journal is encrypted with. */
    readonly key: Uint8Array;
    /** What may have been the key before: it is read with them, too. */
    readonly formerKeys?: readonly Uint8Array[];
    /** It cannot be written; connections go on until the numbers they reserved run out. */
    readonly onFailure?: (error: unknown) => void;
  };
  /** Default that of the back end chosen for the process. */
  readonly protection?: RecordProtection;
  /** Finer than a millisecond and only forward; default the clock. */
  readonly elapsedMs?: () => number;
  /** Lines of a key log (NSS format): whoever reads them reads every connection. */
  readonly logKey?: (line: string) => void;
  /** A broken invariant: the handshake or datagram it came up in is dropped. */
  readonly onBug?: (error: unknown) => void;
}

/** What has to outlive the process; `withoutJournal` when nothing does. */
export interface Persistence {
  /** An established row: everything about it. */
  opened(row: number): void;
  closed(row: number): void;
  /** Its address changed. */
  moved(row: number): void;
  /** A record was sealed: the lease may have to be renewed. */
  wrote(row: number): void;
  /** A record newer than all before was admitted. */
  heard(row: number): void;
}

export interface Site {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: HandshakeSettings;
  readonly limits: DtlsLimits;
  readonly counters: DtlsCounters;
  readonly table: AssociationTable;
  readonly records: RecordLayer;
  readonly admission: HandshakeAdmission;
  readonly turns: WorkTurns;
  readonly persistence: Persistence;
  tell(news: DtlsNews): void;
  bug(error: unknown): void;
}

/** Bytes to the network, counted. */
export function sendDatagram(site: Site, bytes: Uint8Array, to: SocketAddress): void {
  site.counters.datagramsOut += 1;
  site.socket.send(bytes, to);
}
