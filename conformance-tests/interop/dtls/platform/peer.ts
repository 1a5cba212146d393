/** What the matrix asks of a stack nobody here wrote, in either role. */
import type { Wish } from "../wish.ts";
import type { KeyFiles } from "./key-files.ts";

export interface PeerClient {
  /** Resolves when the peer has received our answer to what it said, the line or a part of it; throws when it does not in time. */
  receivedEcho(line: string): Promise<void>;
  /** It is done, or given up by itself; after `connections` of the wish. It says close_notify where it can. */
  end(): Promise<void>;
  /** It says only the first line, whatever the wish. */
  readonly saysFirstOnly?: boolean;
  /** Stops it, in whatever state it is. */
  kill(): Promise<void>;
  /** Everything it said, for the message of a failure. */
  transcript(): string;
}

export interface PeerServer {
  readonly port: number;
  /** Whether what we heard is its answer to the line. */
  isAnswer(line: string, heard: string): boolean;
  /** Makes it answer the line it has received, where it does not do so by itself. */
  readonly answer?: (line: string) => Promise<void>;
  /** Resolves when the peer has noticed that we closed. Undefined: it never tells. */
  readonly closed?: () => Promise<void>;
  kill(): Promise<void>;
  transcript(): string;
}

export interface DtlsPeer {
  /** It knows no extended master secret: we do not insist on it but where a cell is about that. */
  readonly neverHasEms?: boolean;
  connect?(port: number, wish: Wish, files: KeyFiles): PeerClient;
  serve?(wish: Wish, files: KeyFiles): Promise<PeerServer>;
}
