/**
 * Documents read or written last, by table and id, in the worker. The worker alone writes to the file, so what is here is what is there; a
 * device's flow touches the same few documents again within seconds. Two generations: when the young one is full, the old one goes.
 */

/** Characters of one generation of all tables; twice that is held, one byte each where a text is ASCII, and what was updated of the young one parsed as well. */
const generationCharacters = 6 * 1024 * 1024;

interface StoredFields {
  [field: string]: unknown;
}

export class RecentTexts {
  readonly #tables: RecentTable[] = [];
  #characters = 0;

  /** The texts of one table more. */
  open(): RecentTable {
    const table = new RecentTable((characters) => this.#grow(characters));
    this.#tables.push(table);
    return table;
  }

  /** After a rollback nothing here is known to be true. */
  clear(): void {
    for (const table of this.#tables) table.clear();
    this.#characters = 0;
  }

  #grow(characters: number): void {
    this.#characters += characters;
    if (this.#characters < generationCharacters) return;
    for (const table of this.#tables) table.growOld();
    this.#characters = 0;
  }
}

/** By id: a map of its own per table, since an id put together with a name is a new text to hash at every look. */
export class RecentTable {
  readonly #onGrowth: (characters: number) => void;
  #young = new Map<string, string>();
  #old = new Map<string, string>();
  /** Of the young ones that were updated, parsed: who changes a document mostly changes it again. */
  readonly #documents = new Map<string, StoredFields>();

  constructor(onGrowth: (characters: number) => void) {
    this.#onGrowth = onGrowth;
  }

  get(id: string): string | undefined {
    const text = this.#young.get(id);
    if (text !== undefined) return text;
    const older = this.#old.get(id);
    if (older !== undefined) this.set(id, older);
    return older;
  }

  /** The document of the text of this id, for one who changes it: it is not here any more until it is put back. */
  take(id: string): StoredFields | undefined {
    const document = this.#documents.get(id);
    this.#documents.delete(id);
    return document;
  }

  /** `document`: what the text says; nobody else holds it. */
  set(id: string, text: string, document?: StoredFields): void {
    if (document === undefined) this.#documents.delete(id);
    else this.#documents.set(id, document);
    const former = this.#young.get(id);
    this.#young.set(id, text);
    this.#onGrowth(text.length - (former?.length ?? -id.length));
  }

  delete(id: string): void {
    this.#young.delete(id);
    this.#old.delete(id);
    this.#documents.delete(id);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#documents.clear();
  }

  growOld(): void {
    this.#documents.clear();
    this.#old = this.#young;
    this.#young = new Map();
  }
}
