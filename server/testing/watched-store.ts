/** For tests on the virtual clock: the store works in another thread, and the clock must not run ahead of it. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { Store } from "../storage/store.ts";

export interface WatchedStore extends Store {
  /** Resolves when nothing is under way and nothing followed from what came back. */
  settle(): Promise<void>;
  /** Refuses every write from now on, as an engine that is gone would. */
  fail(error: Error | undefined): void;
}

/** Turns of the event loop without work under way: promise chains between two calls take fewer. */
const quietTurns = 3;

export function watchStore(store: Store): WatchedStore {
  let pending = 0;
  let failure: Error | undefined;
  const watch = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (failure !== undefined) return Promise.reject(failure);
          const result: unknown = member.apply(object, args);
          if (!(result instanceof Promise)) return result;
          pending += 1;
          return result.finally(() => {
            pending -= 1;
          });
        };
      },
    });
  return {
    collection: <T extends StoredDocument>(definition: CollectionDefinition): Collection<T> => watch(store.collection<T>(definition)),
    blobs: store.blobs,
    telemetry: watch(store.telemetry),
    probe: () => store.probe(),
    close: () => store.close(),
    fail(error) {
      failure = error;
    },
    async settle() {
      for (let quiet = 0; quiet < quietTurns; quiet = pending === 0 ? quiet + 1 : 0) await nextTurn();
    },
  };
}
