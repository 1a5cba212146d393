/** What came and was not yet taken, with waiting for what is to come. Real time, as a conformance run is. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #ends = new Set<() => void>();

  put(item: T): void {
    this.#items.push(item);
    for (const look of [...this.#waiters]) look();
  }

  /** The first item that fits, taken out; undefined when none comes in time. */
  take(fits: (item: T) => boolean, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const finish = (item: T | undefined): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        this.#ends.delete(end);
        resolve(item);
      };
      const look = (): void => {
        const index = this.#items.findIndex(fits);
        const [item] = index < 0 ? [] : this.#items.splice(index, 1);
        if (item !== undefined) finish(item);
      };
      const end = (): void => finish(undefined);
      const timer = setTimeout(end, timeoutMs);
      this.#waiters.add(look);
      this.#ends.add(end);
      look();
    });
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** Nothing will come any more: who waits gets nothing. */
  close(): void {
    for (const end of [...this.#ends]) end();
  }
}
