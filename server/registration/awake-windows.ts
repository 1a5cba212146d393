/**
 * Who is awake, in memory: a device in queue mode listens for a window after its last message (LwM2M Core 1.1 §6.5), others always.
 * One timer for all windows of one length, which end in the order in which they were opened; most fleets have one length or two.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

interface Presence {
  readonly queueMode: boolean;
  /** Epoch milliseconds; 0: asleep. Devices that are not in queue mode have no window. */
  awakeUntil: number;
  /** Where it stands while it is awake. */
  row: Row | undefined;
}

/** Queue-mode devices that are awake and whose windows are equally long, the one that ends first in front. */
interface Row {
  readonly awake: Map<string, Presence>;
  timer: Timer | undefined;
}

/** All devices that are not in queue mode share it: nothing in it ever changes, and there may be a million of them. */
const alwaysAwake: Presence = { queueMode: false, awakeUntil: 0, row: undefined };

export class AwakeWindows {
  readonly #clock: Clock;
  readonly #windowMsOf: (endpoint: string) => number;
  readonly #onChange: (endpoint: string, awake: boolean) => void;
  readonly #presences = new Map<string, Presence>();
  readonly #rows = new Map<number, Row>();
  #closed = false;

  constructor(clock: Clock, windowMsOf: (endpoint: string) => number, onChange: (endpoint: string, awake: boolean) => void) {
    this.#clock = clock;
    this.#windowMsOf = windowMsOf;
    this.#onChange = onChange;
  }

  /** A registered device; a window that is open stays open. */
  add(endpoint: string, queueMode: boolean): void {
    const present = this.#presences.get(endpoint);
    if (present?.queueMode === queueMode) return;
    this.#leaveRow(endpoint, present);
    this.#presences.set(endpoint, queueMode ? { queueMode, awakeUntil: 0, row: undefined } : alwaysAwake);
  }

  remove(endpoint: string): void {
    this.#leaveRow(endpoint, this.#presences.get(endpoint));
    this.#presences.delete(endpoint);
  }

  has(endpoint: string): boolean {
    return this.#presences.has(endpoint);
  }

  isAwake(endpoint: string): boolean {
    const presence = this.#presences.get(endpoint);
    return presence !== undefined && (!presence.queueMode || presence.awakeUntil > this.#clock.now());
  }

  /** A message of the device arrived: its window starts again. */
  extend(endpoint: string): void {
    const presence = this.#presences.get(endpoint);
    if (presence === undefined || !presence.queueMode || this.#closed) return;
    const windowMs = this.#windowMsOf(endpoint);
    const wasAwake = presence.awakeUntil > this.#clock.now();
    presence.awakeUntil = this.#clock.now() + windowMs;
    this.#leaveRow(endpoint, presence);
    const row = this.#rowOf(windowMs);
    presence.row = row;
    row.awake.set(endpoint, presence);
    row.timer ??= this.#clock.after(windowMs, () => this.#closeDueWindows(windowMs, row));
    if (!wasAwake) this.#onChange(endpoint, true);
  }

  /** The device did not answer: whatever its window said, it sleeps. */
  end(endpoint: string): void {
    const presence = this.#presences.get(endpoint);
    if (presence?.row === undefined) return;
    this.#leaveRow(endpoint, presence);
    presence.awakeUntil = 0;
    this.#onChange(endpoint, false);
  }

  close(): void {
    this.#closed = true;
    for (const row of this.#rows.values()) row.timer?.cancel();
  }

  #rowOf(windowMs: number): Row {
    const known = this.#rows.get(windowMs);
    if (known !== undefined) return known;
    const row: Row = { awake: new Map(), timer: undefined };
    this.#rows.set(windowMs, row);
    return row;
  }

  #leaveRow(endpoint: string, presence: Presence | undefined): void {
    presence?.row?.awake.delete(endpoint);
    if (presence !== undefined) presence.row = undefined;
  }

  #closeDueWindows(windowMs: number, row: Row): void {
    row.timer = undefined;
    const nowMs = this.#clock.now();
    for (const [endpoint, presence] of row.awake) {
      if (presence.awakeUntil > nowMs) {
        row.timer ??= this.#clock.after(presence.awakeUntil - nowMs, () => this.#closeDueWindows(windowMs, row));
        return;
      }
      this.end(endpoint);
    }
    // A listener may have opened a window of this length meanwhile.
    if (row.awake.size === 0) this.#rows.delete(windowMs);
  }
}
