/** What came and was not yet taken, with waiting for what is to come. Real time, as a conformance run is. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<() => void>();

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
        resolve(item);
      };
      const look = (): void => {
        const index = this.#items.findIndex(fits);
        const [item] = index < 0 ? [] : this.#items.splice(index, 1);
        if (item !== undefined) finish(item);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiters.add(look);
      look();
    });
  }

  clear(): void {
    this.#items.length = 0;
  }
}
