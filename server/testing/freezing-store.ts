/** What a store looks like to a process that SIGSTOP hit: calls begun are done, their answers and all else come when it goes on. */
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";

export interface FreezingStore {
  readonly store: Store;
  freeze(): void;
  /** Freezes when the first call that fits, by its arguments as JSON, is done in the store and before its answer is heard. */
  freezeAfter(isIt: (call: string) => boolean): void;
  thaw(): void;
}

export function freezingStore(store: Store): FreezingStore {
  let frozen = Promise.resolve();
  let thaw = (): void => {};
  let isIt: ((call: string) => boolean) | undefined;
  const freeze = (): void => {
    frozen = new Promise((resolve) => {
      thaw = resolve;
    });
  };
  const gate = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return async (...args: unknown[]) => {
          await frozen;
          const result: unknown = await member.apply(object, args);
          if (isIt?.(JSON.stringify(args)) === true) {
            isIt = undefined;
            freeze();
          }
          await frozen;
          return result;
        };
      },
    });
  return {
    store: {
      ...store,
      collection: <T extends StoredDocument>(definition: CollectionDefinition): Collection<T> => gate(store.collection<T>(definition)),
      telemetry: gate(store.telemetry),
    },
    freeze,
    freezeAfter(fits) {
      isIt = fits;
    },
    thaw: () => thaw(),
  };
}
