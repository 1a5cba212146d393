/**
 * Who is awake, in memory: a device in queue mode listens for a window after its last message (LwM2M Core 1.1 §6.5), others always.
 * One timer for all windows of one length, which end in the order in which they were opened; most fleets have one length or two.
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";

interface Presence {
  /** Epoch milliseconds; 0: asleep. */
  readonly awakeUntil: number;
  /** When it woke; messages since then have only made its window longer. */
  readonly awakeSince: number;
  /** Where the device stands while it is awake. */
  readonly row: Row | undefined;
}

/** Queue-mode devices that are awake and whose windows are equally long, the one that ends first in front. */
interface Row {
  readonly awake: Map<string, Presence>;
  timer: Timer | undefined;
}

/** All that sleep share it: there may be a million of them. */
const asleep: Presence = { awakeUntil: 0, awakeSince: 0, row: undefined };

/** When an earlier process heard a device last, as far as it is stored. */
export interface Heard {
  readonly endpoint: string;
  readonly at: number;
}

export class AwakeWindows {
  readonly #clock: Clock;
  readonly #windowMsOf: (endpoint: string) => number;
  readonly #onChange: (endpoint: string, awake: boolean) => void;
  /** Devices in queue mode. */
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
    if (!queueMode) this.remove(endpoint);
    else if (!this.#presences.has(endpoint)) this.#presences.set(endpoint, asleep);
  }

  remove(endpoint: string): void {
    this.#presences.get(endpoint)?.row?.awake.delete(endpoint);
    this.#presences.delete(endpoint);
  }

  /** True for every device that is not in queue mode. */
  isAwake(endpoint: string): boolean {
    const presence = this.#presences.get(endpoint);
    return presence === undefined || presence.awakeUntil > this.#clock.now();
  }

  /** When the window of a device in queue mode began and when it ends; undefined of one that sleeps, and of every other. */
  find(endpoint: string): { readonly since: number; readonly until: number } | undefined {
    const presence = this.#presences.get(endpoint);
    if (presence === undefined || presence.awakeUntil <= this.#clock.now()) return undefined;
    return { since: presence.awakeSince, until: presence.awakeUntil };
  }

  /** A message of the device arrived: its window starts again. */
  extend(endpoint: string): void {
    const before = this.#presences.get(endpoint);
    if (before === undefined || this.#closed) return;
    const windowMs = this.#windowMsOf(endpoint);
    const nowMs = this.#clock.now();
    before.row?.awake.delete(endpoint);
    const row = this.#rowOf(windowMs);
    const awakeSince = before.awakeUntil > nowMs ? before.awakeSince : nowMs;
    const presence = { awakeUntil: nowMs + windowMs, awakeSince, row };
    this.#presences.set(endpoint, presence);
    row.awake.set(endpoint, presence);
    row.timer ??= this.#clock.after(windowMs, () => this.#closeDueWindows(windowMs, row));
    if (before.awakeUntil <= nowMs) this.#onChange(endpoint, true);
  }

  /** Whether the device still listens after a message of that time, if it is in queue mode. */
  wouldListen({ endpoint, at }: Heard): boolean {
    return this.#presences.has(endpoint) && at + this.#windowMsOf(endpoint) > this.#clock.now();
  }

  /** Devices whose windows an earlier process opened go on listening: that they woke has been told. */
  recall(heard: readonly Heard[]): void {
    const touched = new Map<number, Row>();
    for (const each of heard) {
      const { endpoint, at } = each;
      if (!this.wouldListen(each) || this.isAwake(endpoint)) continue;
      const windowMs = this.#windowMsOf(endpoint);
      const row = this.#rowOf(windowMs);
      const presence = { awakeUntil: at + windowMs, awakeSince: at, row };
      this.#presences.set(endpoint, presence);
      row.awake.set(endpoint, presence);
      touched.set(windowMs, row);
    }
    for (const [windowMs, row] of touched) this.#putInOrder(windowMs, row);
  }

  /** The device did not answer: whatever its window said, it sleeps. */
  end(endpoint: string): void {
    const presence = this.#presences.get(endpoint);
    if (presence?.row === undefined) return;
    presence.row.awake.delete(endpoint);
    this.#presences.set(endpoint, asleep);
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

  #putInOrder(windowMs: number, row: Row): void {
    const inOrder = [...row.awake].sort(([, a], [, b]) => a.awakeUntil - b.awakeUntil);
    row.awake.clear();
    for (const [endpoint, presence] of inOrder) row.awake.set(endpoint, presence);
    row.timer?.cancel();
    this.#closeDueWindows(windowMs, row);
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
