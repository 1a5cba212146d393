/** For tests on the virtual clock: the store works in another thread, and the clock must not run ahead of it. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Collection, CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import type { BlobStore, Store } from "../storage/store.ts";

export interface WatchedStore extends Store {
  /** Resolves when nothing is under way and nothing followed from what came back. */
  settle(): Promise<void>;
  /** Refuses everything from now on, as an engine that is gone would. */
  fail(error: Error | undefined): void;
  /** Writes asked for so far. */
  readonly writes: number;
  /** The store dies with the nth write from the opening on: before it is durable, or when it is and nobody has heard of it. */
  dieAtWrite(nth: number, moment: "before" | "after", onDeath: () => void): void;
}

const writing = new Set(["insertOne", "updateOne", "findOneAndUpdate", "bulkWrite", "deleteOne", "deleteMany", "append"]);

/** Turns of the event loop without work under way: promise chains between two calls take fewer. */
const quietTurns = 3;

export function watchStore(store: Store): WatchedStore {
  let pending = 0;
  let waiting: (() => void)[] = [];
  let failure: Error | undefined;
  let writes = 0;
  let death: { readonly nth: number; readonly moment: "before" | "after"; readonly onDeath: () => void } | undefined;
  const diesAt = (nth: number, moment: "before" | "after"): boolean => {
    if (death?.nth !== nth || death.moment !== moment || failure !== undefined) return false;
    failure = new Error(`the process was killed ${moment} write ${nth}`);
    death.onDeath();
    return true;
  };
  const watch = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (failure !== undefined) return Promise.reject(failure);
          const nth = typeof name === "string" && writing.has(name) ? ++writes : undefined;
          if (nth !== undefined && diesAt(nth, "before")) return Promise.reject(failure);
          const result: unknown = member.apply(object, args);
          if (!(result instanceof Promise)) return result;
          pending += 1;
          return result
            .then((value: unknown) => {
              if (nth !== undefined) diesAt(nth, "after");
              if (failure !== undefined) throw failure;
              return value;
            })
            .finally(() => {
              pending -= 1;
              if (pending > 0) return;
              for (const goOn of waiting) goOn();
              waiting = [];
            });
        };
      },
    });
  const watched = watch(store);
  return {
    ...(store.eraseLeftovers === undefined ? {} : { eraseLeftovers: async () => watched.eraseLeftovers?.() }),
    collection: <T extends StoredDocument>(definition: CollectionDefinition): Collection<T> => watch(store.collection<T>(definition)),
    blobs: watchBlobs(watch(store.blobs), watch),
    telemetry: watch(store.telemetry),
    ...(store.commitsTogether === true ? { commitsTogether: true } : {}),
    probe: () => store.probe(),
    close: () => store.close(),
    fail(error) {
      failure = error;
    },
    get writes() {
      return writes;
    },
    dieAtWrite(nth, moment, onDeath) {
      death = { nth, moment, onDeath };
    },
    async settle() {
      for (let quiet = 0; quiet < quietTurns; quiet += 1) {
        if (pending > 0) {
          // Asleep meanwhile: the other thread needs the processor.
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
          });
          quiet = 0;
        }
        await nextTurn();
      }
    },
  };
}

/** Blobs are files: reading them is work in other threads as well. */
function watchBlobs(blobs: BlobStore, watch: <T extends object>(target: T) => T): BlobStore {
  return {
    put: (chunks, limits) => blobs.put(chunks, limits),
    async find(sha256) {
      const blob = await blobs.find(sha256);
      return blob === undefined ? undefined : watch(blob);
    },
    delete: (sha256) => blobs.delete(sha256),
  };
}
