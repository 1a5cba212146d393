/** A schedule of a fixed rate, kept whatever became of what was due before: how much is due, and how late it is. */

/** What fell behind by more is left out rather than sent in one burst, milliseconds. */
const longestBehindMs = 1_000;

export class Pacer {
  readonly #perSecond: number;
  readonly #startedAt: number;
  #done = 0;
  #skipped = 0;

  constructor(perSecond: number, startedAt: number) {
    this.#perSecond = perSecond;
    this.#startedAt = startedAt;
  }

  /** What the fleet itself could not keep up with. */
  get skipped(): number {
    return this.#skipped;
  }

  /** How late, milliseconds, for each that is due now. */
  due(nowMs: number): readonly number[] {
    const everyMs = 1_000 / this.#perSecond;
    const reached = Math.floor((nowMs - this.#startedAt) / everyMs);
    const most = Math.max(1, Math.ceil(longestBehindMs / everyMs));
    if (reached - this.#done > most) {
      this.#skipped += reached - this.#done - most;
      this.#done = reached - most;
    }
    const late: number[] = [];
    for (; this.#done < reached; this.#done++) late.push(nowMs - this.#startedAt - (this.#done + 1) * everyMs);
    return late;
  }
}
