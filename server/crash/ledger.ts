/** What the server has acknowledged so far, as devices and programs know it: the account that every restart is held against. */

export interface AcknowledgedOperation {
  readonly endpoint: string;
  /** Written by this operation alone. */
  readonly value: string;
  /** Once a reply has shown a final status, no other may follow. */
  readonly finalStatus: string | undefined;
}

export interface AcknowledgedPoint {
  readonly endpoint: string;
  readonly path: string;
  /** Of a Send, which names its time; a notification has the time of its arrival. */
  readonly timeMs?: number;
  readonly value: number;
}

/** What was acknowledged, in numbers. */
export interface LedgerCounts {
  readonly registrations: number;
  readonly updates: number;
  readonly operations: number;
  readonly endedOperations: number;
  readonly notifications: number;
  readonly sentValues: number;
  readonly firmwareUpdates: number;
  readonly endedFirmwareUpdates: number;
  readonly successfulFirmwareUpdates: number;
}

export function describeCounts(counts: LedgerCounts): string {
  const { registrations, updates, operations, notifications, sentValues, firmwareUpdates } = counts;
  const { endedOperations, endedFirmwareUpdates, successfulFirmwareUpdates } = counts;
  return [
    `${registrations} registrations, ${updates} updates, ${operations} operations (${endedOperations} ended)`,
    `${notifications} notifications, ${sentValues} values sent`,
    `${firmwareUpdates} firmware updates (${endedFirmwareUpdates} ended, ${successfulFirmwareUpdates} in success)`,
  ].join(", ");
}

export class Ledger {
  /** By endpoint name: the location of the last acknowledged Register. */
  readonly locations = new Map<string, string>();
  /** Endpoint names with a Register under way: which of two the server has is open. */
  readonly registering = new Set<string>();
  /** By id. */
  readonly operations = new Map<string, AcknowledgedOperation>();
  readonly points: AcknowledgedPoint[] = [];
  /** Of the server, counted by its deaths. */
  life = 0;
  registrations = 0;
  updates = 0;
  /** Firmware updates by id: the final state once a reply has shown one. */
  readonly firmware = new Map<string, { readonly endpoint: string; readonly finalState: string | undefined }>();
  /** What a device or a program saw go wrong. */
  readonly violations: string[] = [];

  /** A program saw the operation with this status; `isFinal` by the server's word. */
  see(id: string, operation: Omit<AcknowledgedOperation, "finalStatus">, status: string, isFinal: boolean): void {
    const before = this.operations.get(id);
    if (before !== undefined && before.value !== operation.value) {
      this.violations.push(`operation ${id} was acknowledged for two requests`);
    }
    if (before?.finalStatus !== undefined && before.finalStatus !== status) {
      this.violations.push(`operation ${id} was ${before.finalStatus} and then ${status}`);
    }
    this.operations.set(id, { ...operation, finalStatus: isFinal ? status : before?.finalStatus });
  }

  /** A program saw the firmware update in this state; `isFinal` by the server's word. */
  seeFirmware(id: string, endpoint: string, state: string, isFinal: boolean): void {
    const before = this.firmware.get(id)?.finalState;
    if (before !== undefined && before !== state) this.violations.push(`firmware update ${id} was ${before} and then ${state}`);
    this.firmware.set(id, { endpoint, finalState: isFinal ? state : before });
  }

  /** Updates whose end no program has seen. */
  firmwareUnderWay(): number {
    return [...this.firmware.values()].filter(({ finalState }) => finalState === undefined).length;
  }

  /** Of what every run has; firmware updates begin by chance. */
  hasEveryKind(): boolean {
    const { registrations, updates, operations, notifications, sentValues } = this.counts();
    return [registrations, updates, operations, notifications, sentValues].every((count) => count > 0);
  }

  counts(): LedgerCounts {
    const { registrations, updates, operations, points, firmware } = this;
    const sentValues = points.filter(({ timeMs }) => timeMs !== undefined).length;
    const ends = [...firmware.values()].map(({ finalState }) => finalState);
    return {
      ...{ registrations, updates, sentValues, notifications: points.length - sentValues },
      operations: operations.size,
      endedOperations: [...operations.values()].filter(({ finalStatus }) => finalStatus !== undefined).length,
      firmwareUpdates: firmware.size,
      endedFirmwareUpdates: ends.filter((state) => state !== undefined).length,
      successfulFirmwareUpdates: ends.filter((state) => state === "succeeded").length,
    };
  }
}
