/** One resource of many devices, as it was last known. */
import type { Collection } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";
import type { KnownValue, Twin } from "../twin/twin.ts";
import { twinCollection } from "../twin/twin-store.ts";

export interface LatestValue {
  readonly endpoint: string;
  readonly path: string;
  readonly known: KnownValue;
}

export interface LatestPage {
  readonly values: readonly LatestValue[];
  /** The device to go on behind; undefined on the last page. */
  readonly next: string | undefined;
}

/** Twins of one read, whole ones. */
const twinsAtOnce = 100;
/** Twins one page looks at: few devices may have what is asked for, and a request must end. */
const twinsPerPage = 5_000;

export class LatestValues {
  readonly #twins: Collection<Twin>;

  constructor(store: Store) {
    this.#twins = store.collection<Twin>(twinCollection);
  }

  /** Values of `limit` devices at most, by endpoint name. */
  async page(query: { readonly path: string; readonly limit: number; readonly after?: string }): Promise<LatestPage> {
    const values: LatestValue[] = [];
    let devices = 0;
    let after = query.after ?? "";
    for (let looked = 0; looked < twinsPerPage; looked += twinsAtOnce) {
      const twins = await this.#twins.find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit: twinsAtOnce });
      for (const twin of twins) {
        const own = valuesUnder(twin, query.path);
        values.push(...own);
        if (own.length > 0) devices += 1;
        if (devices === query.limit) return { values, next: twin._id };
        after = twin._id;
      }
      if (twins.length < twinsAtOnce) return { values, next: undefined };
    }
    return { values, next: after };
  }
}

function valuesUnder({ _id, values }: Twin, path: string): readonly LatestValue[] {
  return Object.entries(values)
    .filter(([text]) => text === path || text.startsWith(`${path}/`))
    .map(([text, known]) => ({ endpoint: _id, path: text, known }));
}
