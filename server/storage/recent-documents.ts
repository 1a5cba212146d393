/**
 * What a feature has read or written last, by key, so that it need not be read again: a device's Updates and notifications come in rows. Only
 * on a store that this process alone writes to, and only where every write of the feature drops or puts what it changes here. Fields that
 * others change (the outbox, which its relay empties) are as they were.
 */
export class RecentDocuments<T> {
  readonly #most: number;
  /** Oldest first. */
  readonly #documents = new Map<string, T>();
  /** Reads under way, by key: one that a write overtook is not kept. */
  readonly #reading = new Map<string, symbol>();

  /** `most`: documents kept; 0 keeps none. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Read by `read` unless it is here. */
  async find(key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.#documents.get(key);
    if (known !== undefined || this.#most === 0) return known ?? read();
    const ticket = Symbol();
    this.#reading.set(key, ticket);
    try {
      const found = await read();
      if (found !== undefined && this.#reading.get(key) === ticket) this.put(key, found);
      return found;
    } finally {
      if (this.#reading.get(key) === ticket) this.#reading.delete(key);
    }
  }

  /** As it is stored from now on. */
  put(key: string, document: T): void {
    this.drop(key);
    if (this.#most === 0) return;
    this.#documents.set(key, document);
    if (this.#documents.size <= this.#most) return;
    const [oldest] = this.#documents.keys();
    if (oldest !== undefined) this.#documents.delete(oldest);
  }

  /** It was changed in a way nobody tells here, or may have been. */
  drop(key: string): void {
    this.#documents.delete(key);
    this.#reading.delete(key);
  }

  /** Undefined where it would have to be read. */
  peek(key: string): T | undefined {
    return this.#documents.get(key);
  }
}
