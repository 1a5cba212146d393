/**
 * Documents read or written last, by table and id, in the worker. The worker alone writes to the file, so what is here is what is there; a
 * device's flow touches the same few documents again within seconds. Two generations: when the young one is full, the old one goes.
 */

/** Characters of one generation; twice that is held, one byte each where a text is ASCII. */
const generationCharacters = 6 * 1024 * 1024;

export class RecentTexts {
  #young = new Map<string, string>();
  #old = new Map<string, string>();
  #characters = 0;

  get(table: string, id: string): string | undefined {
    const key = table + id;
    const text = this.#young.get(key);
    if (text !== undefined) return text;
    const older = this.#old.get(key);
    if (older !== undefined) this.#keep(key, older);
    return older;
  }

  set(table: string, id: string, text: string): void {
    this.#keep(table + id, text);
  }

  delete(table: string, id: string): void {
    this.#young.delete(table + id);
    this.#old.delete(table + id);
  }

  /** After a rollback nothing here is known to be true. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#characters = 0;
  }

  #keep(key: string, text: string): void {
    const former = this.#young.get(key);
    this.#young.set(key, text);
    this.#characters += text.length - (former?.length ?? -key.length);
    if (this.#characters < generationCharacters) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#characters = 0;
  }
}
