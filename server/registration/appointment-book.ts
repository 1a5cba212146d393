/**
 * Who was told to come back, and when: in memory of fixed size, whatever comes. A name is kept as 32 bits of itself: two that fall
 * together share an appointment, which costs nothing but their order.
 */

/** Of a device that was told once, or came when it was told to and found no room. */
export type AppointmentKind = "told" | "turned-away";

export interface Appointment {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: AppointmentKind;
}

/** Places looked at for one name. */
const probes = 8;
/** How long after its time a device may still come; then its place is free. */
const graceMs = 300_000;

export class AppointmentBook {
  readonly #mask: number;
  readonly #names: Uint32Array;
  readonly #times: Float64Array;
  readonly #turnedAway: Uint8Array;

  /** `places`: a power of two; 13 bytes each. */
  constructor(places: number) {
    if (places < probes || (places & (places - 1)) !== 0)
      throw new Error(`places: expected a power of two from ${probes} on, got ${places}`);
    this.#mask = places - 1;
    this.#names = new Uint32Array(places);
    this.#times = new Float64Array(places);
    this.#turnedAway = new Uint8Array(places);
  }

  find(name: string, nowMs: number): Appointment | undefined {
    const index = this.#indexOf(hashOf(name));
    const at = index === undefined ? undefined : this.#times[index];
    if (index === undefined || at === undefined || at + graceMs < nowMs) return undefined;
    return { at, kind: this.#turnedAway[index] === 1 ? "turned-away" : "told" };
  }

  /** In place of an earlier one of that name. False: there is no place, and it will not be known when it comes. */
  set(name: string, { at, kind }: Appointment, nowMs: number): boolean {
    const hash = hashOf(name);
    const index = this.#indexOf(hash) ?? this.#freeIndex(hash, nowMs);
    if (index === undefined) return false;
    this.#names[index] = hash;
    this.#times[index] = at;
    this.#turnedAway[index] = kind === "turned-away" ? 1 : 0;
    return true;
  }

  delete(name: string): void {
    const index = this.#indexOf(hashOf(name));
    if (index !== undefined) this.#names[index] = 0;
  }

  #indexOf(hash: number): number | undefined {
    for (let probe = 0; probe < probes; probe += 1) {
      const index = (hash + probe) & this.#mask;
      if (this.#names[index] === hash) return index;
    }
    return undefined;
  }

  #freeIndex(hash: number, nowMs: number): number | undefined {
    for (let probe = 0; probe < probes; probe += 1) {
      const index = (hash + probe) & this.#mask;
      if (this.#names[index] === 0 || (this.#times[index] ?? 0) + graceMs < nowMs) return index;
    }
    return undefined;
  }
}

/** FNV-1a, 32 bits; never 0, which is a free place. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  // The low bits choose the place, and names often differ in their last letters only.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return hash === 0 ? 1 : hash;
}
