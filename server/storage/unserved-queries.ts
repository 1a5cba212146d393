/** What no index serves: refused where that is asked for, otherwise counted and reported once per shape. */

/** Told of every filter or sort order that no index serves; throws where that is to be refused. */
export type OnUnserved = (collection: string, shape: string) => void;

export interface UnservedQueries {
  readonly onUnserved: OnUnserved;
  /** Calls so far. */
  count(): number;
}

/** Reported shapes are remembered up to this many, so that a warning comes once. */
const rememberedShapes = 1_000;

export function watchUnservedQueries(strict: boolean, onWarning: ((message: string) => void) | undefined): UnservedQueries {
  let unserved = 0;
  const shapes = new Set<string>();
  return {
    onUnserved(collection, shape) {
      const message = `${collection} ${shape}: no index serves this`;
      if (strict) throw new Error(message);
      unserved++;
      if (shapes.has(message) || shapes.size >= rememberedShapes) return;
      shapes.add(message);
      onWarning?.(message);
    },
    count: () => unserved,
  };
}
