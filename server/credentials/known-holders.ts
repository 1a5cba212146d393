/**
 * Who has a credential and who has none, as far as it was asked: forgotten, all of it, with every change of credentials. An answer that was on
 * its way while something changed is handed on and not kept.
 */
export class KnownHolders {
  readonly #most: number;
  readonly #answers = new Map<string, boolean>();
  #changes = 0;
  #underWay = 0;

  /** `most`: answers kept; 0 keeps none. */
  constructor(most: number) {
    this.#most = most;
  }

  async ask(name: string, look: () => Promise<boolean>): Promise<boolean> {
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    const before = this.#changes;
    const answer = await look();
    if (before === this.#changes && this.#underWay === 0 && this.#most > 0) this.#keep(name, answer);
    return answer;
  }

  /** Something about credentials changes meanwhile, or may have when it fails. */
  async during<T>(change: () => Promise<T>): Promise<T> {
    this.#underWay++;
    this.#forget();
    try {
      return await change();
    } finally {
      this.#underWay--;
      this.#forget();
    }
  }

  #keep(name: string, answer: boolean): void {
    if (this.#answers.size >= this.#most) this.#answers.clear();
    this.#answers.set(name, answer);
  }

  #forget(): void {
    this.#changes++;
    this.#answers.clear();
  }
}
