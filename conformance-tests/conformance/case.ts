/** What a conformance case is: data the runner works off. Ids are those of the OMA test specification, or RFC and section for the wire. */
import type { WirePeer } from "./platform/wire-peer.ts";

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
  /** A peer of the part under test with an address of its own; closed by the runner. */
  openPeer(): Promise<WirePeer>;
  /** Unique in this run, so that cases do not meet each other's registrations. */
  endpointName(): string;
  /** Notes a criterion; the case goes on either way. */
  check(text: string, met: boolean, evidence?: string): void;
  /** Passes after so many seconds of real time. */
  wait(seconds: number): Promise<void>;
}

export interface ConformanceCase {
  readonly id: string;
  readonly title: string;
  readonly role: Role;
  /** Seconds it needs at most. */
  readonly limitSeconds: number;
  readonly run: (stage: Stage) => Promise<void>;
}

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
