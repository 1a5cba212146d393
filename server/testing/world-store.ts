/** The engine that the server worlds of this process stand on: the embedded store unless a suite chooses another before it opens one. */
import type { CollectionDefinition } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import type { Store } from "../storage/store.ts";

/** Opens the store of a directory, the same one again when the directory is the same. */
export type OpenWorldStore = (directory: string, collections: readonly CollectionDefinition[]) => Promise<Store>;

let open: OpenWorldStore = (directory, collections) => openEmbeddedStore({ directory, collections, strictFilters: true });

export function openWorldStore(directory: string, collections: readonly CollectionDefinition[]): Promise<Store> {
  return open(directory, collections);
}

export function standOn(engine: OpenWorldStore): void {
  open = engine;
}
