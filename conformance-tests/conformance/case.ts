/** What a conformance case is: data the runner works off. Ids are those of the OMA test specification, or RFC and section for the wire. */
import type { WirePeer } from "./platform/wire-peer.ts";
import type { WireServer } from "./platform/wire-server.ts";

/** The part under test. */
export type Role = "client" | "server" | "bootstrap";

/** The vocabulary of the OMA TestFest result sheets. */
export type Verdict = "Pass" | "Fail" | "Inconclusive" | "Not Applicable" | "Out of Time";

export interface Criterion {
  readonly text: string;
  readonly met: boolean;
  /** What was got, when it was not met. */
  readonly evidence?: string;
}

/** What a case may use while it runs. */
export interface Stage {
  /** Notes a criterion; the case goes on either way. */
  check(text: string, met: boolean, evidence?: string): void;
  /** Passes after so many seconds of real time. */
  wait(seconds: number): Promise<void>;
  /** Milliseconds. */
  now(): number;
}

/** For servers: the runner plays clients. */
export interface ServerStage extends Stage {
  /** A peer of the part under test with an address of its own; closed by the runner. */
  openPeer(): Promise<WirePeer>;
  /** Unique in this run, so that cases do not meet each other's registrations. */
  endpointName(): string;
}

/** For bootstrap servers: some names are configured there. */
export interface BootstrapStage extends ServerStage {
  readonly configured: ConfiguredNames;
}

export interface ConfiguredNames {
  readonly device: string;
  readonly neighbour: string;
}

/** For clients: the runner plays the LwM2M server. */
export interface ClientStage extends Stage {
  readonly server: WireServer;
  /** The client, registered; throws when none registers in time. */
  client(): Promise<RegisteredClient>;
  /** Asks the client to end; undefined when the runner did not start it. */
  endClient(): Promise<void> | undefined;
}

export interface RegisteredClient {
  readonly peer: WirePeer;
  /** Path of its Server instance: `/1/0`. */
  readonly account: string;
}

interface CaseFacts {
  readonly id: string;
  readonly title: string;
  /** Seconds it needs at most. */
  readonly limitSeconds: number;
}

export type ServerCase = CaseFacts & { readonly role: "server"; readonly run: (stage: ServerStage) => Promise<void> };
export type BootstrapCase = CaseFacts & { readonly role: "bootstrap"; readonly run: (stage: BootstrapStage) => Promise<void> };
export type ClientCase = CaseFacts & { readonly role: "client"; readonly run: (stage: ClientStage) => Promise<void> };
export type ConformanceCase = ServerCase | BootstrapCase | ClientCase;

/** Thrown by a case that asks for what the part under test need not have. */
export class NotApplicable extends Error {}

export interface CaseResult {
  readonly id: string;
  readonly title: string;
  readonly verdict: Verdict;
  readonly seconds: number;
  readonly criteria: readonly Criterion[];
  /** Messages in order, as evidence. */
  readonly trace: readonly string[];
  readonly detail?: string;
}
