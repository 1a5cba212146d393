/** A stream whose first chunk is there before the reply begins: what fails until then is a problem document, not a broken stream. */

/** Rejects with what kept the first chunk from coming. Ends the stream when whoever reads the rest leaves. */
export async function begun<T>(chunks: AsyncGenerator<T>): Promise<AsyncIterable<T>> {
  let first: IteratorResult<T> | undefined = await chunks.next();
  const iterator: AsyncIterator<T> = {
    next() {
      const result = first;
      first = undefined;
      return result === undefined ? chunks.next() : Promise.resolve(result);
    },
    return: () => chunks.return(undefined),
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
