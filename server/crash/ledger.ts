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

export class Ledger {
  /** By endpoint name: the location of the last acknowledged Register. */
  readonly locations = new Map<string, string>();
  /** Endpoint names with a Register under way: which of two the server has is open. */
  readonly registering = new Set<string>();
  /** By id. */
  readonly operations = new Map<string, AcknowledgedOperation>();
  readonly points: AcknowledgedPoint[] = [];
  updates = 0;
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

  count(): string {
    const { locations, operations, points, updates } = this;
    return `${locations.size} registrations, ${updates} updates, ${operations.size} operations, ${points.length} values`;
  }
}
