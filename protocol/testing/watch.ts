/** What a promise came to, undefined until it settles; a rejection is left to whoever awaits it. */
export function watch<T>(promise: Promise<T>): () => T | undefined {
  let result: T | undefined;
  promise.then(
    (value) => {
      result = value;
    },
    () => {},
  );
  return () => result;
}
