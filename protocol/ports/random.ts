/** Chance as the machines see it; seeded in tests. */
export interface Random {
  /** Unpredictable bytes: tokens, identifiers, keys. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1): jitter and back-off. */
  fraction(): number;
}
