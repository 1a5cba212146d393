/** What a plugtest case needs of its two sides, whoever plays them. */
import type { UdpRelay } from "./platform/udp-relay.ts";

export interface PlugtestRequest {
  readonly method: "get" | "post" | "put" | "delete";
  /** With its query: `/query?first=1`. */
  readonly path: string;
  /** Default true. */
  readonly confirmable?: boolean;
  readonly payload?: string;
  readonly accept?: number;
  readonly etag?: Uint8Array;
  readonly ifMatch?: Uint8Array;
  readonly ifNoneMatch?: true;
  readonly emptyToken?: true;
  /** 16 to 1,024 bytes; without it the client's own choice. */
  readonly blockSizeBytes?: number;
}

/** What the client displays. */
export interface PlugtestAnswer {
  /** `2.05` */
  readonly code: string;
  readonly payload: string;
}

export interface PlugtestClient {
  /** Rejects when no answer came. */
  request(request: PlugtestRequest): Promise<PlugtestAnswer>;
  /** `forSeconds`: how long it means to observe, for clients that have to know before; then it cancels by itself. */
  observe(path: string, options?: { readonly confirmable?: boolean; readonly forSeconds?: number }): Promise<PlugtestWatch>;
  /** Resolves when the ping was answered; undefined for a client that sends none. */
  readonly ping?: () => Promise<void>;
  /** It does not acknowledge a second copy of a notification, as RFC 7252 §4.2 wants it. */
  readonly acknowledgesOnce?: true;
  close(): Promise<void>;
}

export interface PlugtestWatch {
  /** Bodies as displayed, that of the first answer included. */
  readonly seen: readonly string[];
  /** GET with Observe 1, or whatever the client does when its time is over. */
  cancel(): Promise<void>;
  /** As if it were restarted: it knows nothing of the relation any more. */
  forget(): Promise<void>;
}

/** The names a server gives to the resources of the descriptions; a query may be part of one. */
export type ResourceNames = { readonly [name: string]: string };

export interface PlugtestServer {
  readonly port: number;
  readonly resources: ResourceNames;
  /** Another client, or the server by itself, changes an observed resource. */
  change(path: string, body: string, confirmable?: boolean): Promise<void>;
  /** The resource is gone (4.04), or has another Content-Format (4.06); undefined where the server cannot. */
  readonly endRelations?: (path: string, code: "4.04" | "4.06") => Promise<void>;
  /** Its answer to the last block of a body does not name the block, as RFC 7959 §2.3 wants it. */
  readonly omitsFinalBlock1?: true;
  /** It takes a copy of a request for a new one. */
  readonly forgetsRequests?: true;
  /** It tells the end of a relation in NON. */
  readonly endsByNon?: true;
  /** How many observe it; undefined where the server does not tell. */
  readonly observers?: (path: string) => Promise<number>;
  /** Stops and starts at the same port: it knows no relation any more. */
  reboot(): Promise<void>;
  close(): Promise<void>;
}

export interface Scene {
  readonly client: PlugtestClient;
  readonly server: PlugtestServer;
  /** Everything that went over the wire. */
  readonly wire: UdpRelay;
}

export interface PlugtestPairing {
  /** `to` is the port the client sends to. */
  openClient(to: number): Promise<PlugtestClient>;
  openServer(options: { readonly nonConfirmableNotifications: boolean }): Promise<PlugtestServer>;
}

/** The body of `/large`, 1,700 bytes. */
export const largeText: string = Array.from({ length: 1_700 }, (_, i) => String.fromCharCode(0x61 + (i % 26))).join("");
