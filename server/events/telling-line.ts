/** Who joined first is told of first, whoever is done first: outcomes of writes that were asked for in order travel on ways of different length. */
export class TellingLine<T> {
  readonly #tell: (outcome: T) => void;
  readonly #places: { outcome: T | undefined; isDone: boolean }[] = [];

  constructor(tell: (outcome: T) => void) {
    this.#tell = tell;
  }

  /** What it returns is to be called once, whatever came of it. */
  join(): (outcome: T) => void {
    const place: { outcome: T | undefined; isDone: boolean } = { outcome: undefined, isDone: false };
    this.#places.push(place);
    return (outcome) => {
      place.outcome = outcome;
      place.isDone = true;
      this.#tellDone();
    };
  }

  #tellDone(): void {
    for (let first = this.#places[0]; first?.isDone; first = this.#places[0]) {
      this.#places.shift();
      if (first.outcome !== undefined) this.#tell(first.outcome);
    }
  }
}
