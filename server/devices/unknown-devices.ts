/**
 * Devices nobody expects: let in, kept apart, or refused. Expected are devices with an entry in the registry, a credential or a
 * bootstrap configuration. What is kept apart is bounded, for over NoSec anybody can come under any name.
 */
import type { RefusalReason, RefusalReports } from "./refusal-reports.ts";

export const unknownDevicePolicies = ["accept", "quarantine", "refuse"] as const;
export type UnknownDevicePolicy = (typeof unknownDevicePolicies)[number];

export interface UnknownDevicesDeps {
  readonly policy: UnknownDevicePolicy;
  /** Devices kept apart at most. */
  readonly limit: number;
  readonly devices: QuarantineEntries;
  readonly reports: Pick<RefusalReports, "note">;
  /** Whether somebody has prepared something for this name. */
  readonly isExpected: (endpoint: string) => Promise<boolean>;
  readonly isRegistered: (endpoint: string) => Promise<boolean>;
  /** As when it is deleted: the operations that wait for it are cancelled. */
  readonly forget: (endpoint: string) => Promise<void>;
}

export interface QuarantineEntries {
  readonly quarantined: ReadonlySet<string>;
  stateOf(endpoint: string): Promise<"known" | "quarantined" | undefined>;
  quarantine(endpoint: string): Promise<void>;
  claim(endpoint: string): Promise<boolean>;
}

/** Who comes: over DTLS its credential has been checked. */
export interface Newcomer {
  readonly endpoint: string;
  readonly isProven: boolean;
  readonly address: { readonly address: string; readonly port: number };
}

/** What a look for one that gives way may cost. */
const mostLooks = 16;

export class UnknownDevices {
  readonly #deps: UnknownDevicesDeps;
  /** In quarantine, and its registration may be over: the first to go when there is no room. Oldest first. */
  readonly #over: Set<string>;
  #entering = 0;

  constructor(deps: UnknownDevicesDeps) {
    this.#deps = deps;
    this.#over = new Set(deps.devices.quarantined);
  }

  /** Undefined: it may register. */
  async findRefusal(newcomer: Newcomer): Promise<RefusalReason | undefined> {
    const { policy, devices, reports, isExpected } = this.#deps;
    const { endpoint, isProven } = newcomer;
    const state = await devices.stateOf(endpoint);
    if (state === "known" || (state === undefined && policy === "accept")) return undefined;
    if (isProven || (await isExpected(endpoint))) {
      if (state === "quarantined") await devices.claim(endpoint);
      return undefined;
    }
    const refusal = policy === "refuse" ? "unknown" : state === undefined ? await this.#enter(endpoint) : undefined;
    if (refusal === undefined) this.#over.delete(endpoint);
    else reports.note(newcomer, refusal);
    return refusal;
  }

  /** Its registration is over. */
  noteGone(endpoint: string): void {
    if (this.#deps.devices.quarantined.has(endpoint)) this.#over.add(endpoint);
  }

  async #enter(endpoint: string): Promise<RefusalReason | undefined> {
    this.#entering += 1;
    try {
      if (!(await this.#hasRoom())) return "quarantine-full";
      await this.#deps.devices.quarantine(endpoint);
      return undefined;
    } finally {
      this.#entering -= 1;
    }
  }

  async #hasRoom(): Promise<boolean> {
    const { devices, limit, isRegistered, forget } = this.#deps;
    const isFull = (): boolean => devices.quarantined.size + this.#entering > limit;
    for (let looks = 0; isFull() && looks < mostLooks; looks += 1) {
      const [oldest] = this.#over;
      if (oldest === undefined) return false;
      this.#over.delete(oldest);
      if (devices.quarantined.has(oldest) && !(await isRegistered(oldest))) await forget(oldest);
    }
    return !isFull();
  }
}
