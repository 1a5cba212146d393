/** One outstanding interaction per peer (NSTART 1, RFC 7252 §4.7); what cannot start waits in order. */

interface Waiting {
  readonly owner: object;
  readonly start: () => void;
}

export class SendTurn {
  #owner: object | undefined;
  readonly #waiting: Waiting[] = [];

  get idle(): boolean {
    return this.#owner === undefined && this.#waiting.length === 0;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Starts at once when the turn is free or already the owner's; `first` goes ahead of those who wait (a transfer goes on). */
  take(owner: object, start: () => void, first = false): void {
    if (this.#owner === undefined || this.#owner === owner) {
      this.#owner = owner;
      start();
    } else if (first) {
      this.#waiting.unshift({ owner, start });
    } else {
      this.#waiting.push({ owner, start });
    }
  }

  /** Gives the turn to the next, or takes the owner out of the queue. */
  leave(owner: object): void {
    const at = this.#waiting.findIndex((waiting) => waiting.owner === owner);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#owner !== owner) return;
    const next = this.#waiting.shift();
    this.#owner = next?.owner;
    next?.start();
  }
}
